"""Kinetics and Kinetics-Sounds: a small tree of clips with sound, in folders or flat beside annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.benchmarks.kinetics import SOUNDS
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, tone, video

need("av", "PIL")

CLASSES = ("playing guitar", "bowling", "tap dancing")


def named(number: int) -> str:
    """Return the id of a video, with - and _ as real ones have them."""
    return f"-_{number:09d}"


def clip(path: Path, grey: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    video(path, [grey] * 4, wave=tone(300, 0.2, 22050))


def build(root: Path) -> Path:
    """Four clips of each class in train, one in val; one class's folder with underscores."""
    for place, label in enumerate(CLASSES):
        folder = label.replace(" ", "_") if place else label
        for number in range(5):
            part = "val" if number == 4 else "train"
            clip(root / part / folder / f"{named(10 * place + number)}_000007_000017.mp4", 40 * place + number)
    return root


@pytest.fixture(scope="module")
def in_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("kinetics"))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Clips without folders of classes, and annotations that list one more, which vanished."""
    root = tmp_path / "flat"
    header = "label,youtube_id,time_start,time_end,split,is_cc\n"
    for part, first in {"train": 0, "val": 100, "test": 200}.items():
        lines = []
        for place, label in enumerate(CLASSES):
            for number in range(3):
                name = named(first + 10 * place + number)
                lines.append(f'"{label}",{name},{number},{number + 10},{part},0')
                if number != 2 or part == "test":
                    clip(root / part / f"{name}_{number:06}_{number + 10:06}.mp4")
        (root / f"{part}.csv").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_folders_become_splits(in_folders: Path, tmp_path: Path) -> None:
    settings = settings_of(default_settings("kinetics"), frame_size=8, frames=2)
    found = prepare("kinetics", tmp_path / "data", settings, root=in_folders, workers=1)
    assert found.notes == (
        "3 classes, published are 400 (397 fewer).",
        "There are no clips of test: those of val are test.",
        "The split has no validation part: 3 samples of training are it (-s validation=0.1).",
    )
    data = load_path(tmp_path / "data")
    assert isinstance(data, Splits)
    assert data.train.classes == ("bowling", "playing guitar", "tap dancing")
    assert [len(part) for part in data.parts().values()] == [9, 3, 3]
    assert data.test.ids is not None
    label_of = dict(zip(data.test.ids, np.asarray(data.test.labels).tolist(), strict=True))
    assert label_of == {f"{named(10 * place + 4)}_000007_000017": number for place, number in enumerate((1, 0, 2))}
    assert all(data.train.present[name].all() for name in ("audio", "video"))


def test_annotations_count_what_vanished(flat: Path) -> None:
    layout = read_benchmark("kinetics", flat)
    assert layout.notes[1:] == [
        "train: 3 of 9 clips are not there, and left out.",
        "validation: 3 of 9 clips are not there, and left out.",
    ]
    parts = [each.split for each in layout.samples]
    assert [parts.count(part) for part in ("train", "validation", "test")] == [6, 6, 9]
    assert {each.id[:11]: each.label for each in layout.samples}[named(110)] == "bowling"
    drawn = read_benchmark("kinetics", flat, ["split=drawn"]).samples
    assert {each.split for each in drawn} == {None} and all(each.group == each.id[:11] for each in drawn)


def test_classes_by_a_file(in_folders: Path, tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text("tap_dancing\nabc,10,Playing Guitar\nabd,10,playing guitar\n", encoding="utf-8")
    layout = read_benchmark("kinetics_sounds", in_folders, [f"classes={names}"])
    assert layout.classes == ["playing guitar", "tap dancing"] and len(layout.samples) == 10
    names.write_text("bowling\nplaying gitar\nx,10,juggling\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2 \('playing gitar'\), line 3 \('juggling'\).*mean 'playing guitar'"):
        read_benchmark("kinetics", in_folders, [f"classes={names}"])
    with pytest.raises(ConfigError, match=r"classes: no such file: 'some'"):
        read_benchmark("kinetics", in_folders, ["classes=some"])


def test_the_classes_of_kinetics_sounds(tmp_path: Path) -> None:
    assert len(set(SOUNDS)) == 32 and list(SOUNDS) == sorted(SOUNDS)
    for number, label in enumerate(SOUNDS):
        path = tmp_path / "train" / label / f"{named(number)}_000000_000010.mp4"
        path.parent.mkdir(parents=True)
        path.touch()  # not read: only where it lies counts here
    for count in (31, 32):
        layout = read_benchmark("kinetics_sounds", tmp_path, [f"classes={count}", "split=drawn"])
        assert len(layout.samples) == count
    assert "strumming guitar" not in (read_benchmark("kinetics_sounds", tmp_path, ["split=drawn"]).classes or ())


def test_folders_are_called_in_many_ways(tmp_path: Path) -> None:
    for number, folder in enumerate(("train_256/training_dog", "videos_val/training dog", "test/part_0/training dog")):
        path = tmp_path / folder / f"{named(number)}_000000_000010.mp4"
        path.parent.mkdir(parents=True)
        path.touch()  # not read: only where it lies counts here
    (tmp_path / "train_256" / "training_dog" / f"{named(9)}_000000_000010.mp4").touch()
    samples = read_benchmark("kinetics", tmp_path).samples
    assert {each.id[:11]: each.split for each in samples} == {
        named(0): "train",
        named(1): "validation",
        named(2): "test",
        named(9): "train",
    }
    assert {each.label for each in samples} == {"training dog"}
    (tmp_path / "train_256" / f"{named(3)}_000000_000010.mp4").touch()
    with pytest.raises(
        DataError, match=r"a class's folder above .*3_000000_000010.mp4, or annotations .*were not found"
    ):
        read_benchmark("kinetics", tmp_path)


def test_half_a_download_and_wrong_roots(in_folders: Path, flat: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clips of blowing nose, .*\(28 of 31 .*Files below it: 15 .*Finish"):
        prepare("kinetics_sounds", tmp_path / "none", root=in_folders)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"clips named like .* were not found. Files below it: 0"):
        read_benchmark("kinetics", tmp_path / "empty")
    with pytest.raises(DataError, match=r"which clips are train was not found.*split=drawn"):
        read_benchmark("kinetics", in_folders / "val")
    assert not (tmp_path / "none").exists()
    content = (flat / "val.csv").read_text(encoding="utf-8")
    (flat / "val.csv").write_text(content + "bowling,short,1,11,val,0\nbowling,12345678901,1,11,later,0\n")
    with pytest.raises(
        DataError, match=r"val.csv: expected a class.*line 11 \('bowling,short,1'\), line 12 \(split 'la"
    ):
        read_benchmark("kinetics", flat)
    (flat / "val.csv").write_text(content.replace("youtube_id", "id", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"val.csv: has no column youtube_id; its columns are label, id"):
        read_benchmark("kinetics", flat)
