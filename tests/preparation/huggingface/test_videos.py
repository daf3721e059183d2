"""Videos in tables: bytes, records of bytes and a path, and files that the table only names."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equimodal.errors import ConfigError, DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.huggingface.choice import Choice
from equimodal.preparation.huggingface.dataset import read_dataset
from equimodal.preparation.prepare import prepare
from media.making import need, tone, video
from preparation.huggingface.trees import MEDIUM
from preparation.own_media import content

need("av", "PIL")
SETTINGS = MediaSettings(frames=2, frame_size=16, sampling_rate=8000, seconds=0.4)
COUNT = 6
BESIDE = {1, 4}
"""Rows of which the table holds no bytes."""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Videos of half a second, with sound, beside a manifest `all.csv`; row 2 has none."""
    (tmp_path / "files").mkdir()
    paths = []
    for number in range(COUNT):
        path = tmp_path / f"files/{number}.mp4"
        paths.append(video(path, [20 * number + 5] * 6 + [200] * 6, wave=tone(200 + 50 * number, 0.5, 22050)))
    lines = [f"train/{n},{'ab'[n % 2]},{'' if n == 2 else f'{n}.mp4'},words" for n in range(COUNT)]
    (tmp_path / "files/all.csv").write_text("\n".join(["id,label,video,text", *lines]) + "\n")
    return paths


def write(folder: Path, entries: list[Any], kind: pa.DataType = MEDIUM, feature: str | None = "Video") -> Path:
    """Write one split of videos in two shards, in groups of two rows."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "video": pa.array([None if number == 2 else entry for number, entry in enumerate(entries)], kind),
        "label": pa.array(["ab"[number % 2] for number in range(len(entries))]),
        "text": pa.array(["words"] * len(entries)),
    }
    rows = pa.table(values)
    if feature:
        info = {"info": {"features": {"video": {"_type": feature}}}}
        rows = rows.replace_schema_metadata({"huggingface": json.dumps(info)})
    for number in range(2):
        path = folder / f"data/train-{number:05d}-of-00002.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(rows.slice(3 * number, 3), path, row_group_size=2)
    return folder


def columns(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if name.startswith("columns/")}


@pytest.fixture
def expected(tmp_path: Path, files: list[Path]) -> dict[str, bytes]:
    """The columns that the manifest of the same files gives."""
    prepare(files[0].parent / "all.csv", tmp_path / "expected", SETTINGS, workers=1)
    assert len(np.unique(np.load(tmp_path / "expected/columns/video.npy")[:, 0].mean((1, 2, 3)))) == COUNT
    return columns(tmp_path / "expected")


def test_bytes_and_records(tmp_path: Path, files: list[Path], expected: dict[str, bytes]) -> None:
    data = [path.read_bytes() for path in files]
    records = [{"bytes": each, "path": path.name} for each, path in zip(data, files, strict=True)]
    nameless = [{"bytes": each, "path": None} for each in data]
    sources = {
        "records": write(tmp_path / "records", records),
        "nameless": write(tmp_path / "nameless", nameless),
        "undeclared": write(tmp_path / "undeclared", records, feature=None),
        "bytes": write(tmp_path / "bytes", data, pa.binary()),
        "large": write(tmp_path / "large", data, pa.large_binary(), feature=None),
    }
    for name, folder in sources.items():
        assert read_dataset(folder).media == {"video": "video", "text": "text"}
        prepare(folder, tmp_path / f"by_{name}", SETTINGS, workers=1, choice=Choice())
        assert columns(tmp_path / f"by_{name}") == expected, name


def test_the_sound_of_videos_in_a_table(tmp_path: Path, files: list[Path]) -> None:
    manifest = files[0].parent / "all.csv"
    manifest.write_text(manifest.read_text().replace(",video", ",video:audio"))
    prepare(manifest, tmp_path / "expected", SETTINGS, workers=1)
    folder = write(tmp_path / "in", [path.read_bytes() for path in files], pa.binary())
    prepare(folder, tmp_path / "out", SETTINGS, workers=1, choice=Choice(columns=("video:audio", "text")))
    assert columns(tmp_path / "out") == columns(tmp_path / "expected")


def test_a_column_of_bytes_needs_its_medium(tmp_path: Path, files: list[Path]) -> None:
    folder = write(tmp_path / "in", [path.read_bytes() for path in files], pa.binary(), feature=None)
    for path in folder.glob("data/*"):
        pq.write_table(pq.read_table(path).rename_columns(["clip", "label", "text"]), path)
    with pytest.raises(ConfigError, match="Say --column clip:image"):
        read_dataset(folder)
    assert read_dataset(folder, Choice(columns=("clip:video", "text"))).media == {"clip": "video", "text": "text"}


@pytest.mark.parametrize("place", ["data", "data/clips", "clips"])
@pytest.mark.parametrize("workers", [1, 2])
def test_files_beside_the_table(
    tmp_path: Path,
    files: list[Path],
    expected: dict[str, bytes],
    place: str,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some rows hold bytes, and others name a file: from the table's folder, or else from that of the data set."""
    monkeypatch.setattr("equimodal.preparation.plan.PIECE", 2)  # so that there are pieces for two workers
    (tmp_path / "in" / place).mkdir(parents=True)
    entries: list[dict[str, Any]] = []
    for number, path in enumerate(files):
        name = f"{place}/{path.name}" if place == "clips" else f"{place}/{path.name}".removeprefix("data/")
        held = path.read_bytes() if number not in BESIDE else None
        (tmp_path / "in" / place / path.name).write_bytes(path.read_bytes() if held is None else b"not looked at")
        entries.append({"bytes": held, "path": name})
    folder = write(tmp_path / "in", entries)
    prepare(folder, tmp_path / "out", SETTINGS, workers=workers)
    assert columns(tmp_path / "out") == expected


def test_files_that_are_not_beside_the_table(tmp_path: Path, files: list[Path]) -> None:
    """Neither a path of this machine nor one that leads out is opened, and what is not there is counted."""
    outside = ["../../files/0.mp4", str(files[1]), "no.mp4", "../data/in.mp4", "hf://datasets/a/b@c/0.mp4", "link.mp4"]
    folder = write(tmp_path / "in", [{"bytes": None, "path": name} for name in outside])
    (folder / "data/in.mp4").write_bytes(files[3].read_bytes())
    (folder / "link.mp4").symlink_to(files[5])
    with pytest.raises(DataError, match=r"4 files are unreadable \(video missing: 4\)"):
        prepare(folder, tmp_path / "out", SETTINGS, workers=1)
    record = prepare(folder, tmp_path / "out", SETTINGS, workers=1, on_error="missing")
    assert record.modalities["video"]["present"] == 1
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == ["train/0", "train/1", "train/4", "train/5"]
    assert lines[0]["reason"].startswith("the table names the file '../../files/0.mp4', and the data set has no such")


def test_a_file_beside_that_changes(tmp_path: Path, files: list[Path]) -> None:
    """What was decoded of it before is decoded again."""
    folder = write(tmp_path / "in", [{"bytes": None, "path": f"{number}.mp4"} for number in range(COUNT)])
    for path in files:
        (folder / "data" / path.name).write_bytes(path.read_bytes())
    (folder / "data/5.mp4").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"data/5\.mp4 "):
        prepare(folder, tmp_path / "out", SETTINGS, workers=1)
    (folder / "data/5.mp4").write_bytes(files[5].read_bytes())
    record = prepare(folder, tmp_path / "out", SETTINGS, workers=1)
    assert record.modalities["video"]["present"] == COUNT - 1 and not record.unreadable
