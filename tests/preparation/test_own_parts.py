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
