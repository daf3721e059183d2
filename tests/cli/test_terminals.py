"""Terminals that do not know every character: results are printed, and a minus stays a minus."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.test_mistakes import SHORT, own, run
from equimodal.cli.terminal import PLAIN, print_anywhere

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]


def printed(encoding: str, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "equimodal.cli.main", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=200)


@pytest.mark.slow
def test_a_comparison_is_printed_on_any_terminal(run: Run, own: Path, tmp_path: Path) -> None:
    compare = ["compare", "--data", own, "-m", "joint", "-m", "uniform", "--seeds", "2", *SHORT, "-o", "out"]
    assert run(*compare)[0] == 0
    texts = {}
    for encoding in ("utf-8", "ascii", "cp1252", "gbk"):
        done = printed(encoding, tmp_path, *compare)
        assert done.returncode == 0, done.stderr.decode(encoding)
        texts[encoding] = done.stdout.decode(encoding).replace("\r\n", "\n")
    plain = texts["utf-8"]
    for unknown, written in PLAIN.items():
        plain = plain.replace(unknown, written)
    assert texts["ascii"] == plain
    assert "±" in texts["utf-8"] and "±" in texts["cp1252"] and "+/-" in texts["ascii"]


def test_an_error_about_a_name_of_other_letters(tmp_path: Path) -> None:
    done = printed("ascii", tmp_path, "train", "--data", "größe\u2212π")
    assert done.returncode == 2
    assert b"'gr\\xf6\\xdfe-\\u03c0'" in done.stderr and b"Traceback" not in done.stderr


def test_streams_that_are_no_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", object())
    print_anywhere()
