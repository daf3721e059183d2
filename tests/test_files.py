"""Files are written whole or not at all."""

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    for then, end in (({}, "continue with --resume."), ({"then": "write it again"}, "write it again.")):
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


def test_the_message_for_arrays_does_not_speak_of_a_run(tmp_path):
    (tmp_path / "arrays.npz").mkdir()
    with pytest.raises(RunError, match="choose another name, for a folder has this one, then write it again"):
        write_npz(tmp_path / "arrays.npz", {"a": np.arange(3)})


KILLED = """
import os, signal, sys
from pathlib import Path
from equimodal.files import write_whole

def write(temporary):
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

write_whole(Path(sys.argv[1]), write)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -signal.SIGKILL
    (left,) = names_in(tmp_path)
    assert left.startswith(".a.json.") and left.endswith(".equimodal-tmp")
    others = [
        ".a.json.x7",
        ".a.json.swp",  # an editor's
        ".a.json.equimodal-tmp",
        left.replace(".a.json.", ".b.json."),  # of another file
        re.sub(r"\.\d+\.([0-9a-f]+)\.equimodal", rf".{os.getpid()}.\1.equimodal", left),  # of a process that runs
        left.replace(f".{socket.gethostname()}.", ".elsewhere."),  # of another machine on the same disk
    ]
    for name in others:
        (tmp_path / name).write_text("not ours to remove")
    write_text(path, "whole")
    assert names_in(tmp_path) == sorted({*others, "a.json"} - {left})


def test_writers_side_by_side_all_succeed_and_one_whole_file_stays(tmp_path):
    path, barrier = tmp_path / "note.txt", threading.Barrier(8)

    def write(number):
        def fill(temporary):
            barrier.wait()  # all have begun before the first is done
            temporary.write_text(f"{number}" * 10_000)

        write_whole(path, fill)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert path.read_text() in {f"{number}" * 10_000 for number in range(8)}
    assert names_in(tmp_path) == ["note.txt"]


MANY = """
import sys
from pathlib import Path
from equimodal.files import write_text

for number in range(200):
    write_text(Path(sys.argv[1]), sys.argv[2] * 1000)
"""


def test_processes_side_by_side_too(tmp_path):
    path = tmp_path / "note.txt"
    running = [subprocess.Popen([sys.executable, "-c", MANY, str(path), letter]) for letter in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert path.read_text() in ("a" * 1000, "b" * 1000)
    assert names_in(tmp_path) == ["note.txt"]


@pytest.fixture
def umask():
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask, mask, mode):
    umask(mask)
    write_text(tmp_path / "note.txt", "text")
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == mode


def test_a_file_that_is_there_keeps_its_permissions(tmp_path, umask):
    path = tmp_path / "note.txt"
    umask(0o077)
    for mode in (0o640, 0o755):
        path.write_text("old")
        path.chmod(mode)
        write_text(path, "new")
        assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (mode, "new")


def test_a_link_stays_one_and_the_file_it_leads_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real.txt", tmp_path / "link.txt"
    link.symlink_to(Path("there") / "real.txt")
    for text in ("made through the link", "written again"):  # at first it leads to nothing
        write_text(link, text)
        assert link.is_symlink() and real.read_text() == text and not real.is_symlink()
    assert names_in(tmp_path) == ["link.txt", "there"] and names_in(real.parent) == ["real.txt"]


@pytest.mark.parametrize("kind", ["loop", "pipe", "device"])
def test_what_is_not_a_file_is_refused_and_stays(tmp_path, kind):
    path = tmp_path / "note.txt"
    if kind == "loop":
        path.symlink_to("note.txt")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    before = path.lstat().st_mode
    with pytest.raises(RunError, match="this one leads to a link, a device or a pipe"):
        write_text(path, "text")
    assert path.lstat().st_mode == before and names_in(tmp_path) == ["note.txt"]
    assert not Path("/dev/null").is_file()


def test_a_long_name_can_be_written(tmp_path):
    path = tmp_path / ("ä" * 125 + ".json")  # 255 bytes, the most there is
    write_text(path, "text")
    assert path.read_text() == "text"
