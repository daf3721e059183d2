"""The contact sheet: every kind is drawn, hostile names are text, and the page stands alone."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from equimodal.data.dataset import Dataset
from equimodal.display.pictures import as_pixels, data_uri, envelope, heat_map
from equimodal.reports.contact_sheet import contact_sheet
from equimodal.reports.overview import overview

EVIL = "<script>alert('x')</script>\"&"


def pixels_of(uri: str) -> np.ndarray:
    return (imread(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) * 255).round().astype(np.uint8)


def make() -> Dataset:
    generator = np.random.default_rng(0)
    return Dataset(
        {
            "image": generator.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8),
            "video": generator.integers(0, 256, (12, 3, 8, 8, 3), dtype=np.uint8),
            "sound": generator.normal(size=(12, 9, 4)),
            "wave": generator.normal(size=(12, 50, 1)),
            "vector": generator.normal(size=(12, 5)),
            "cube": generator.normal(size=(12, 2, 2, 5)),
            "text": [f"{EVIL} {n}" for n in range(11)] + [""],
        },
        [EVIL if n % 2 else "plain" for n in range(12)],
        ids=[f"{n} {EVIL}" for n in range(12)],
        split=[0] * 8 + [1] * 2 + [2] * 2,
        name=EVIL,
    )


def test_pictures_are_those_of_the_data(tmp_path: Path) -> None:
    data = make()
    page = contact_sheet(data, tmp_path / "sheet.html", per_class=2).read_text("utf-8")
    first = re.search(r'src="(data:image/png;base64,[^"]+)"', page)
    assert first is not None
    batch = data.batch([int(np.flatnonzero(data.labels == 0)[0])])  # pyright: ignore[reportArgumentType]
    assert np.array_equal(pixels_of(first[1])[..., :3], batch.inputs["image"][0].numpy())  # pyright: ignore
    assert page.count("<figure>") == 4 and page.count("data:image/png") == 4 * (1 + 3 + 1 + 1 + 1)
    assert "missing" in page and "numbers of shape (2, 2, 5)" in page and "· train" in page


def test_hostile_names_are_text(tmp_path: Path) -> None:
    page = contact_sheet(make(), tmp_path / "sheet.html").read_text("utf-8")
    assert page.count("<script") == 1 and "&lt;script&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page == contact_sheet(make(), tmp_path / "again.html").read_text("utf-8")


def test_drawings() -> None:
    assert np.array_equal(
        pixels_of(data_uri(np.arange(6, dtype=np.uint8).reshape(2, 3)))[..., 0], np.arange(6).reshape(2, 3)
    )
    assert heat_map(np.array([[0.0, 10], [0, 0]])).tolist() == [[255, 0], [0, 0]]
    assert as_pixels(np.full((2, 2), 3.5)).tolist() == [[0, 0], [0, 0]]
    drawn = envelope(np.sin(np.linspace(0, 20 * np.pi, 4000)))
    assert drawn.shape == (64, 160) and (drawn == 40).any(0).all() and (drawn == 40).any(1).all()
    assert (envelope(np.zeros(10)) == 40).any(1).sum() <= 2


def test_the_overview_counts() -> None:
    tables, sentences = overview(make())
    assert sentences == ["12 samples, 2 classes: train 8, validation 2, test 2."]
    assert dict(zip(tables[1].labels, tables[1].rows(), strict=True))["plain"][1][0].text == "4"
