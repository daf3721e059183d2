"""Terminals that do not know every character: results are printed, and a minus stays a minus."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.test_mistakes import SHORT, own, run
from equimodal.cli.terminal import PLAIN, print_anywhere

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, run: Run, *arguments: str | Path) -> tuple[int, str, str]:
    """Run the program on a terminal with an encoding; return its exit code and what it shows and reports."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    with monkeypatch.context() as terminal:
        for name, stream in streams.items():
            terminal.setattr(sys, name, stream)
        code = run(*arguments)[0]
        for stream in streams.values():
            stream.flush()
    shown = [stream.buffer.getvalue().decode(encoding) for stream in streams.values()]  # pyright: ignore
    return code, shown[0], shown[1]


def test_a_comparison_is_printed_on_any_terminal(
    monkeypatch: pytest.MonkeyPatch, run: Run, own: Path, tmp_path: Path
) -> None:
    compare = ["compare", "--data", own, "-m", "joint", "-m", "uniform", "--seeds", "2", *SHORT, "-o", "out"]
    assert run(*compare)[0] == 0
    texts = {}
    for encoding in ("utf-8", "ascii", "cp1252", "gbk"):
        code, texts[encoding], err = printed(monkeypatch, encoding, run, *compare)
        assert code == 0, err
    plain = texts["utf-8"]
    for unknown, written in PLAIN.items():
        plain = plain.replace(unknown, written)
    assert texts["ascii"] == plain
    assert "±" in texts["utf-8"] and "±" in texts["cp1252"] and "+/-" in texts["ascii"]


def test_an_error_about_a_name_of_other_letters(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    code, _, err = printed(monkeypatch, "ascii", run, "train", "--data", "größe\u2212π")
    assert code == 2
    assert "'gr\\xf6\\xdfe-\\u03c0'" in err and "Traceback" not in err


def test_streams_that_are_no_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", object())
    print_anywhere()
