"""Files are written whole or not at all."""

import re

import pytest

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


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".a.json.x7").write_text("half")
    (tmp_path / ".b.json.x7").write_text("not ours")
    write_text(tmp_path / "a.json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.json.x7", "a.json"]
