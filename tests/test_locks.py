"""A folder has one writer at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from equimodal.errors import RunError
from equimodal.locks import LOCKS, free, is_held, locked, taking_turns

HOLD = """
import sys
from pathlib import Path
from equimodal.locks import locked
with locked(Path(sys.argv[1]), "a run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the folder until its standard input is closed."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path):
    process = hold(tmp_path / "run")
    try:
        with pytest.raises(RunError, match=r"another process is writing a run into this folder.*--out"):
            locked(tmp_path / "run", "a run").__enter__()
        with locked(tmp_path / "other", "a run"):  # another folder is free
            pass
    finally:
        process.communicate("\n", timeout=60)
    with locked(tmp_path / "run", "a run"):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path):
    process = hold(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    with locked(tmp_path, "a run"):
        pass


def test_a_second_thread_is_refused(tmp_path: Path):
    errors: list[RunError] = []

    def work() -> None:
        try:
            with locked(tmp_path, "a comparison"):
                pass
        except RunError as error:
            errors.append(error)

    with locked(tmp_path, "a comparison"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert len(errors) == 1
    work()
    assert len(errors) == 1


def test_the_lock_is_released_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path, "a run"):
        raise ZeroDivisionError
    with locked(tmp_path, "a run"):
        pass


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="is a file, and a run needs a folder"), locked(tmp_path / "run", "a run"):
        pass
    with pytest.raises(RunError, match="could not be locked"), locked(tmp_path / "run" / "inner", "a run"):
        pass


def test_whoever_takes_turns_waits_and_is_told_so(tmp_path: Path):
    order: list[str] = []
    entered = threading.Event()

    def work() -> None:
        with taking_turns(tmp_path / "locks" / "a", "features", order.append):
            order.append("second")

    thread = threading.Thread(target=work)

    def say(text: str) -> None:
        order.append(text)
        entered.set()

    with taking_turns(tmp_path / "locks" / "a", "features", say):  # nobody is there: nothing is said
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["Waiting for another process that writes features.", "first", "second"]
    assert not entered.is_set()


def test_a_lock_that_is_taken_is_not_free(tmp_path: Path):
    with free(tmp_path / "a") as held:
        assert held
        with free(tmp_path / "a") as again:
            assert not again
    with free(tmp_path / "a") as held:
        assert held


def test_a_lock_that_cannot_be_made_is_one_message(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunError, match="features cannot be written there"),
        taking_turns(tmp_path / "file" / "a", "features"),
    ):
        pass


@pytest.mark.skipif(not LOCKS.is_file(), reason="only Linux lists the locks that are held")
def test_who_holds_a_folder_is_seen_without_touching_its_lock(tmp_path: Path):
    assert not is_held(tmp_path / "run")  # there is no folder
    process = hold(tmp_path / "run")
    try:
        assert is_held(tmp_path / "run")
        assert not is_held(tmp_path)
    finally:
        process.communicate()
    assert (tmp_path / "run" / ".lock").exists() and not is_held(tmp_path / "run")


def test_where_no_locks_are_listed_none_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("equimodal.locks.LOCKS", tmp_path / "no such file")
    with locked(tmp_path, "a run"):
        assert not is_held(tmp_path)
