"""UPMC Food-101: a small tree of pictures and lists of titles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, picture, scene

need("PIL")

DISHES = ("sushi", "apple_pie", "baklava")
"""Not in order: the order of classes is that of their names."""


def build(root: Path) -> Path:
    """Write four training pictures and two test pictures per dish, and lists with commas and quotes in titles."""
    (root / "texts").mkdir(parents=True)
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for dish in DISHES:
        for number in range(6):
            half = "test" if number > 3 else "train"
            folder = root / "images" / half / dish
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{dish}_{number}.jpg"
            picture(folder / name, scene(number))
            title = {0: f'"{dish}, the ""best"""', 1: f"{dish}, plain"}.get(number, f"{dish} no {number}")
            lines[half].append(f"{name},{title},{dish}")
    for half, content in lines.items():
        (root / "texts" / f"{half}_titles.csv").write_text("\n".join(content) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("food"))


def test_the_download_becomes_splits(download: Path, tmp_path: Path) -> None:
    settings = settings_of(default_settings("food101"), image_size=8)
    found = prepare("food101", tmp_path / "data", settings, root=download, workers=1)
    assert found.notes == (
        "18 pairs, published are 90840 (90822 fewer).",
        "3 classes, published are 101 (98 fewer).",
        "The split has no validation part: 3 samples of training are it (-s validation=0.1).",
    )
    data = load_path(tmp_path / "data")
    assert isinstance(data, Splits)
    assert [len(data.train), len(data.validation), len(data.test)] == [9, 3, 6]
    assert data.train.classes == ("apple_pie", "baklava", "sushi")
    assert sorted(np.asarray(data.validation.labels)) == [0, 1, 2]  # one of each class
    assert data.test.ids is not None
    assert list(data.test.ids) == [f"test/{dish}_{n}" for dish in DISHES for n in (4, 5)]
    assert np.asarray(data.test.labels).tolist() == [2, 2, 0, 0, 1, 1]


def test_titles_keep_their_commas_and_quotes(download: Path) -> None:
    samples = {each.id: each for each in read_benchmark("food101", download).samples}
    assert samples["train/sushi_0"].cells["text"] == 'sushi, the "best"'
    assert samples["train/sushi_1"].cells["text"] == "sushi, plain"


def test_the_other_lists_bring_their_own_validation(tmp_path: Path) -> None:
    root = build(tmp_path / "food")
    parts = {"train": [0, 1], "dev": [2, 3], "test": [4, 5]}
    for part, numbers in parts.items():
        half = "test" if part == "test" else "train"
        rows = [
            {"id": f"{dish}_{n}", "label": dish, "text": "a\ntext", "img": f"images/{half}/{dish}/{dish}_{n}.jpg"}
            for dish in DISHES
            for n in numbers
        ]
        (root / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    samples = read_benchmark("food101", root, ["lists=jsonl"]).samples
    assert [each.id for each in samples if each.split == "validation"] == [
        f"train/{dish}_{n}" for dish in DISHES for n in (2, 3)
    ]
    for list_ in (root / "texts").iterdir():
        list_.unlink()
    with pytest.raises(DataError, match=r"train_titles.csv and test_titles.csv were not found.*-s lists=jsonl"):
        read_benchmark("food101", root)


def test_a_split_of_ones_own(download: Path, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(
        "id,split\ntrain/sushi_0,train\ntrain/baklava_1,val\ntest/sushi_4,test\n", encoding="utf-8"
    )
    layout = read_benchmark("food101", download, [f"split={tmp_path / 'split.csv'}"])
    assert {each.id: each.split for each in layout.samples} == {
        "train/sushi_0": "train",
        "train/baklava_1": "validation",
        "test/sushi_4": "test",
    }
    assert layout.notes[-1] == "15 samples that split.csv does not name are left out."
    (tmp_path / "split.csv").write_text(
        "id,split\nsushi_0,train\ntrain/baklava_1,later\ntest/sushi_4,test\ntest/sushi_4,train\n", encoding="utf-8"
    )
    with pytest.raises(DataError) as error:
        read_benchmark("food101", download, [f"split={tmp_path / 'split.csv'}"])
    said = str(error.value)
    assert "3 problems" in said
    assert "line 2 ('sushi_0')" in said and "line 3 ('later')" in said and "line 5 ('test/sushi_4')" in said
    assert {each.split for each in read_benchmark("food101", download, ["split=drawn"]).samples} == {None}
    with pytest.raises(ConfigError, match=r"'oficial' is neither official, drawn nor a file.*Did you mean 'official'"):
        read_benchmark("food101", download, ["split=oficial"])


def test_what_is_not_there_is_counted_and_a_missing_folder_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "food")
    (root / "images" / "train" / "sushi" / "sushi_0.jpg").unlink()
    picture(root / "images" / "test" / "sushi" / "sushi_77.jpg", scene(1))
    layout = read_benchmark("food101", root)
    assert "Pictures that the lists name and that are not there (see --on-error): 1." in layout.notes
    assert "Pictures in no list, left out: 1." in layout.notes
    settings = settings_of(default_settings("food101"), image_size=8)
    found = prepare("food101", tmp_path / "data", settings, root=root, on_error="missing", workers=1)
    assert found.rows == 18 and found.unreadable == {"image": {"missing": 1}}
    for path in (root / "images" / "test").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"pictures of images/test/apple_pie, .*\(3 of 6 .*were not found.*11 .jpg.*Finish"
    ):
        read_benchmark("food101", root)
    with pytest.raises(DataError, match=r"train_titles.csv and test_titles.csv were not found"):
        prepare("food101", tmp_path / "none", root=root / "images")
    assert not (tmp_path / "none").exists()


def test_another_list_is_refused_with_its_lines(tmp_path: Path) -> None:
    root = build(tmp_path / "food")
    with (root / "texts" / "test_titles.csv").open("a", encoding="utf-8") as file:
        file.write("sushi_9;A title;sushi\nsushi_10.jpg,sushi\n")
    with pytest.raises(DataError, match=r"test_titles.csv: expected lines .*line 7 \('sushi_9;.*line 8 .*downloaded"):
        read_benchmark("food101", root)
