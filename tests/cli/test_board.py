"""`equimodal board` as a shell calls it."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from board.folders import write_run
from equimodal.board.server import bind
from equimodal.cli.main import main
from programs import program

pytest.importorskip("uvicorn", reason="uvicorn comes with the extra 'board'")
pytest.importorskip("starlette", reason="starlette comes with the extra 'board'")


def test_ctrl_c_ends_it_with_one_line(tmp_path: Path, monkeypatch, capsys):
    write_run(tmp_path / "mine")
    with bind(0) as free:
        port = free.getsockname()[1]
    seen: list[bytes] = []

    def visit() -> None:
        """Open the page as soon as it is there, then press Ctrl-C."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
                    seen.append(page.read())
            except OSError:
                time.sleep(0.1)
            else:
                os.kill(os.getpid(), signal.SIGINT)
                return

    visitor = threading.Thread(target=visit)
    visitor.start()
    code, said, complaints = program("equimodal", main, monkeypatch, capsys)("board", tmp_path, "--port", str(port))
    visitor.join()
    assert b"/at/mine" in seen[0]
    opened = f"{tmp_path} is shown at http://127.0.0.1:{port}/ (Ctrl-C ends it)."
    assert (code, said.splitlines(), complaints) == (0, [opened, "The board is closed."], "")


def test_mistakes_are_one_message(tmp_path: Path, monkeypatch, capsys):
    call = program("equimodal", main, monkeypatch, capsys)
    code, _, said = call("board", tmp_path / "none")
    assert code == 2 and said == f"error: {tmp_path / 'none'}: expected a folder of runs, there is none.\n"
    with bind(0) as taken:
        port = taken.getsockname()[1]
        code, out, said = call("board", tmp_path, "--port", str(port))
    assert code == 2 and out == "" and said.startswith(f"error: Port {port} of 127.0.0.1 is in use.")
    assert said.count("\n") == 1
