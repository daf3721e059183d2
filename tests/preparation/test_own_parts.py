"""Parts, groups and classes of one's own media: completed, or what is wrong is said before anything is decoded."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import DataError
from equimodal.preparation.prepare import prepare


def manifest(folder: Path, splits: list[str], groups: list[str] | None = None, labels: str = "ab") -> Path:
    """Write 24 samples whose parts and groups follow each other."""
    lines = ["label,text,note:text,split" + (",group" if groups else "")]
    for n in range(24):
        group = f",{groups[n % len(groups)]}" if groups else ""
        lines.append(f"{labels[n // 2 % len(labels)]},text {n},note {n},{splits[n % len(splits)]}{group}")
    (folder / "m.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "m.csv"


def counts(folder: Path) -> dict[int, int] | None:
    path = folder / "columns/split.npy"
    return dict(sorted(Counter(np.load(path).tolist()).items())) if path.exists() else None


@pytest.mark.parametrize(
    ("splits", "expected", "note"),
    [
        (["Train", "dev", "TEST"], {0: 8, 1: 8, 2: 8}, None),
        (["training", "valid", "evaluation"], {0: 8, 1: 8, 2: 8}, None),
        (["train", "testing"], {0: 10, 1: 2, 2: 12}, "No sample is in validation: 2 of training become it."),
        (["train"], None, "All samples are in train: they are taken as data without a split"),
        (["train", "val"], {0: 12, 1: 12}, "No sample is in test: training needs some there."),
        (["test"], {2: 24}, "No sample is in train: training needs some there."),
    ],
)
def test_parts(tmp_path: Path, splits: list[str], expected: dict[int, int] | None, note: str | None) -> None:
    found = prepare(manifest(tmp_path, splits), tmp_path / "out", workers=1)
    assert counts(tmp_path / "out") == expected
    assert (len(found.notes) == 1 and found.notes[0].startswith(note)) if note else not found.notes
    assert prepare(manifest(tmp_path, splits), tmp_path / "out", workers=1) == found


def test_parts_of_a_folder_per_class_and_what_lies_beside_them(tmp_path: Path) -> None:
    for part in ("Training", "Testing"):
        for label in ("cat", "dog"):
            (tmp_path / "in" / part / label).mkdir(parents=True)
            for number in range(4):
                (tmp_path / "in" / part / label / f"{number}.txt").write_text(f"{label} {number}")
    (tmp_path / "in/Testing/owl").mkdir()
    found = prepare(tmp_path / "in", tmp_path / "out", workers=1)
    assert counts(tmp_path / "out") == {0: 6, 1: 2, 2: 8} and "owl" not in np.load(tmp_path / "out/columns/labels.npy")
    assert found.notes == (
        "Folders that hold no file: Testing/owl.",
        "No sample is in validation: 2 of training become it.",
        "There is one modality (text); training needs two or more.",
    )
    (tmp_path / "in/Testing/loose.txt").write_text("loose")
    (tmp_path / "in/more/cat").mkdir(parents=True)
    (tmp_path / "in/more/cat/1.txt").write_text("more")
    with pytest.raises(DataError) as error:
        prepare(tmp_path / "in", tmp_path / "again", workers=1)
    assert "Folders of parts (Testing, Training) lie beside other folders (more)." in str(error.value)
    (tmp_path / "in/more").rename(tmp_path / "more")
    with pytest.raises(DataError, match=r"Files outside of a class's folder: Testing/loose\.txt\. Move them into one"):
        prepare(tmp_path / "in", tmp_path / "again", workers=1)


def test_a_folder_for_each_kind_of_file(tmp_path: Path) -> None:
    """They are no classes: which sample has a sound would tell its class."""
    for part in ("train", "test"):
        for name in ("images/1.png", "images/2.png", "sounds/1.wav", "notes/1.txt"):
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / part / name).write_text("x")
    with pytest.raises(DataError, match=r"got a folder for each kind of file: images .image., notes .text., sounds"):
        prepare(tmp_path, tmp_path.parent / "out", workers=1)
    (tmp_path / "train/sounds/2.txt").write_text("x")
    (tmp_path / "all.CSV").write_text("text\nx\n")
    with pytest.raises(DataError) as error:
        prepare(tmp_path, tmp_path.parent / "out", workers=1)
    assert str(error.value) == (
        "Files outside of a class's folder: all.CSV. Move them into one. If it is a manifest, give it in place of the "
        f"folder: {tmp_path / 'all.CSV'}."
    )


def test_training_that_has_one_sample_of_each_class(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("label,text,note:text,split\na,1,x,train\nb,2,x,train\na,3,x,test\nb,4,x,test\n")
    notes = prepare(tmp_path / "m.csv", tmp_path / "out", workers=1).notes
    assert len(notes) == 1 and "no class has two samples in training" in notes[0]


def test_groups_in_several_parts(tmp_path: Path) -> None:
    source = manifest(tmp_path, ["train", "val", "test"], ["g0", "g1", "g2", "g3", "g4"])
    with pytest.raises(
        DataError, match=r"groups are in several parts: g0, g1, g2, g3, g4\. Put each group into one part"
    ):
        prepare(source, tmp_path / "out", workers=1)
    with pytest.raises(DataError, match=r"the groups in train are too few to hold some out .*into validation"):
        prepare(manifest(tmp_path, ["train", "test"], ["g0", "g1"]), tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_classes_that_look_alike(tmp_path: Path) -> None:
    labels = ["caf\u00e9", "cafe\u0301", "Tea", "tea", "milk"]
    (tmp_path / "m.csv").write_text("label,text,note:text\n" + "".join(f"{each},x,y\n" for each in labels), "utf-8")
    notes = prepare(tmp_path / "m.csv", tmp_path / "out", workers=1).notes
    assert "Classes that differ only in capitals, spaces or accents: 'Tea', 'tea'." in notes and len(notes) == 2


def test_names_of_files_that_are_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "in") + b"/caf\xe9"
    try:
        Path(os.fsdecode(folder)).mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes no such name")
    for name in (b"/1.txt", b"/2.txt"):
        Path(os.fsdecode(folder + name)).write_text("x")
    with pytest.raises(DataError, match=r"names of files that are not UTF-8: 'caf\\udce9/1', 'caf\\udce9/2'. Rename"):
        prepare(tmp_path / "in", tmp_path / "out", workers=1)
