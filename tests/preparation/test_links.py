"""Links in what is prepared: followed within it, and never out of it or in a circle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import DataError, RunError
from equimodal.preparation.class_folders import read_class_folders
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import check
from equimodal.preparation.tree import Tree
from preparation.own_media import write_arrays


def _to_itself(root: Path) -> None:
    (root / "cat/1.wav").symlink_to("1.wav")


def _to_its_folder(root: Path) -> None:
    (root / "cat/more").symlink_to(".")


def _to_the_root(root: Path) -> None:
    (root / "cat/all").symlink_to("..")


def _beside_the_classes(root: Path) -> None:
    (root / "all").symlink_to(root, target_is_directory=True)


def _to_each_other(root: Path) -> None:
    (root / "cat/a").symlink_to("b")
    (root / "cat/b").symlink_to("a")


def _into_each_other(root: Path) -> None:
    (root / "cat/dogs").symlink_to("../dog")
    (root / "dog/cats").symlink_to("../cat")


def _many(root: Path) -> None:
    for number in range(30):
        (root / f"cat/{number}").symlink_to("..")


LOOPS: list[tuple[Callable[[Path], None], str]] = [
    (_to_itself, "cat/1.wav"),
    (_to_its_folder, "cat/more"),
    (_to_the_root, "cat/all"),
    (_beside_the_classes, "all"),
    (_to_each_other, "cat/a, cat/b"),
    (_into_each_other, "cat/dogs/cats, dog/cats/dogs"),
    (_many, "cat/0, cat/1, cat/10, cat/11, cat/12, ... (30 in all)"),
]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A folder per class, with an array in each."""
    for name in ("cat", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        np.save(tmp_path / "in" / name / "1.npy", np.ones(2))
    return tmp_path / "in"


@pytest.mark.parametrize(("spoil", "named"), LOOPS)
def test_a_folder_per_class_with_a_loop(classes: Path, spoil: Callable[[Path], None], named: str) -> None:
    spoil(classes)
    with pytest.raises(DataError) as error:
        prepare(classes, classes.parent / "out")
    assert str(error.value) == f"Links that lead back to a folder above them, or to themselves: {named}. Remove them."
    assert not (classes.parent / "out").exists()


@pytest.mark.parametrize(("spoil", "named"), LOOPS)
def test_a_data_set_of_hugging_face_with_a_loop(classes: Path, spoil: Callable[[Path], None], named: str) -> None:
    """Its card names tables below any folder, so that a loop would have them be read again and again."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow reads Parquet")
    arrow = pytest.importorskip("pyarrow")
    parquet.write_table(arrow.table({"text": ["a"], "label": ["x"]}), classes / "cat/train.parquet")
    (classes / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: '**/*.parquet'\n---\n")
    spoil(classes)
    with pytest.raises(DataError) as error:
        prepare(classes, classes.parent / "out")
    assert str(error.value) == f"Links that lead back to a folder above them, or to themselves: {named}. Remove them."


@pytest.mark.parametrize(("spoil", "named"), LOOPS)
def test_a_download_with_a_loop(classes: Path, spoil: Callable[[Path], None], named: str) -> None:
    spoil(classes)
    tree = Tree(classes, "a tree")
    assert [path.relative_to(classes).as_posix() for path in tree.files] == ["cat/1.npy", "dog/1.npy"]
    tree.check_content(tree.files)
    said = str(tree.unlike("sounds were"))
    assert "Links to folders, and to files that are not there, are not followed (" in said
    assert named.split(",")[0].split("/")[1 if "/" in named else 0] in said


def test_links_within_and_out_of_a_folder_per_class(classes: Path) -> None:
    (classes / "cat/more").mkdir()
    np.save(classes / "cat/more/2.npy", np.ones(2))
    (classes / "dog/few").symlink_to("../cat/more")
    assert [each.id for each in read_class_folders(classes).samples] == ["cat/1", "cat/more/2", "dog/1", "dog/few/2"]
    (classes.parent / "other").mkdir()
    np.save(classes.parent / "other/3.npy", np.ones(2))
    (classes / "owl").symlink_to(classes.parent / "other")
    (classes / "dog/4.npy").symlink_to(classes.parent / "other/3.npy")
    (classes / "dog/5.npy").symlink_to("gone.npy")
    with pytest.raises(DataError) as error:
        read_class_folders(classes)
    for part in (
        "2 problems",
        f"Links that lead out of {classes}: dog/4.npy, owl. Copy the files, or write a manifest with --root.",
        "Links to files that are not there: dog/5.npy. Correct or remove them.",
    ):
        assert part in str(error.value)


def test_a_folder_that_cannot_be_read(classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it would be lost without a word."""
    scandir = os.scandir

    def closed(folder: Path | str) -> object:
        if Path(folder).name == "dog":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("os.scandir", closed)
    with pytest.raises(DataError, match=r"Folders that cannot be read: dog\. Give yourself permission"):
        read_class_folders(classes)
    with pytest.raises(DataError, match=r"dog: cannot be read \(Permission denied\)\. Give yourself permission"):
        _ = Tree(classes, "a tree").files


def test_a_prepared_folder_whose_file_is_a_loop(tmp_path: Path) -> None:
    prepare(write_arrays(tmp_path / "in", 4), tmp_path / "out", workers=1)
    (tmp_path / "out/columns/ids.npy").unlink()
    (tmp_path / "out/columns/ids.npy").symlink_to("ids.npy")
    with pytest.raises(DataError, match=r"columns/ids\.npy is missing"):
        check(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").symlink_to("out")
    manifest = tmp_path / "in/all.csv"
    with pytest.raises(RunError, match="could not be locked"):
        prepare(manifest, tmp_path / "out", workers=1)
    with pytest.raises(DataError, match=r"--root: .*out is no folder"):
        prepare(manifest, tmp_path / "made", root=tmp_path / "out", workers=1)
