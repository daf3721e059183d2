"""Files are written whole or not at all."""

import errno
import re

import numpy as np
import pytest

from equimodal.data.archive import write_npz
from equimodal.errors import RunError
from equimodal.files import write_text, write_whole
from training.runs import largest_file, names_in


def test_text_is_written_and_replaced(tmp_path):
    path = tmp_path / "deep" / "er" / "note.txt"
    for text in ("première", "zweite\n"):
        write_text(path, text)
        assert path.read_bytes().decode("utf-8") == text
    assert names_in(path.parent) == ["note.txt"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    seen = []

    def write(temporary):
        temporary.write_text("half")
        seen.append((path.read_text(), temporary.parent))
        temporary.write_text("new")

    write_whole(path, write)
    assert seen == [("old", tmp_path)]  # beside it: a rename across disks would not be one step
    assert path.read_text() == "new"


def test_a_disk_that_fills_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with largest_file(10), pytest.raises(RunError, match=re.escape(f"{path}: could not be written (File too large)")):
        write_text(path, "new" * 100)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_other_errors_pass_through_and_leave_nothing(tmp_path, error):
    def write(temporary):
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_whole(tmp_path / "note.txt", write)
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"note\.txt: could not be written"):
        write_text(tmp_path / "file" / "note.txt", "text")
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.ENOSPC, "free some space or choose another folder"),
        (errno.EDQUOT, "free some space or choose another folder"),
        (errno.EROFS, "choose a folder that you may write to"),
        (errno.EACCES, "choose a folder that you may write to"),
        (errno.EIO, "choose another folder"),
    ],
)
def test_the_advice_fits_the_cause_and_the_caller(tmp_path, code, cure):
    def write(temporary):
        raise OSError(code, "Reason")

    path = tmp_path / "note.txt"
    text = f"{path}: could not be written (Reason). What was there before is untouched; {cure}, then "
    for then, end in (({}, "go on with --resume."), ({"then": "write it again"}, "write it again.")):
        with pytest.raises(RunError) as caught:
            write_whole(path, write, **then)
        assert str(caught.value) == text + end


def test_a_folder_or_a_file_in_the_way_asks_for_another_name(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="choose another name, for a folder has this one, then write it again"):
        write_text(tmp_path / "folder", "text", then="write it again")
    with pytest.raises(RunError, match="choose another folder, for a file is in the way"):
        write_text(tmp_path / "file" / "note.txt", "text")
    assert names_in(tmp_path) == ["file", "folder"]


def test_arrays_that_cannot_be_written_are_not_a_run_to_go_on_with(tmp_path):
    (tmp_path / "arrays.npz").mkdir()
    with pytest.raises(RunError, match="choose another name, for a folder has this one, then write it again"):
        write_npz(tmp_path / "arrays.npz", {"a": np.arange(3)})


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".a.json.x7").write_text("half")
    (tmp_path / ".b.json.x7").write_text("not ours")
    write_text(tmp_path / "a.json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.json.x7", "a.json"]
