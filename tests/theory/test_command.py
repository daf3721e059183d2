"""`theory`: the table, the figures, and that the docs show what the program prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.test_mistakes import refuses
from programs import program
from research.theory.__main__ import main

Run = Callable[..., tuple[int, str, str]]
PAGE = Path(__file__).parents[2] / "docs" / "theory.md"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return program("theory", main, monkeypatch, capsys)


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    from research.theory import figures

    monkeypatch.setattr(figures, "_CELLS", 2)
    monkeypatch.setattr(figures, "_PROBLEMS", 5)


def test_the_table_and_the_figures(run: Run, tmp_path: Path) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "1 cycle    step and loss  light" in out and "at rest    step and loss  slow" in out
    assert out.splitlines()[-1].startswith("figures theory/order.svg, theory/order.png")
    assert len(list((tmp_path / "theory").iterdir())) == 4


def test_a_seed_draws_other_problems(run: Run) -> None:
    first, other = run("--out", "a")[1], run("--out", "a", "--seed", 3)[1]
    assert "seed 3" in other
    assert first.splitlines()[4] != other.splitlines()[4]


def test_a_file_in_the_way(run: Run, tmp_path: Path) -> None:
    (tmp_path / "theory").write_text("mine")
    refuses(run(), "theory", "a file is in the way")
    assert (tmp_path / "theory").read_text() == "mine"


@pytest.mark.skipif(not PAGE.is_file(), reason="the source distribution comes without docs/")
def test_the_docs_show_what_is_printed(run: Run) -> None:
    page = PAGE.read_text(encoding="utf-8")
    printed = run()[1]
    for line in printed.splitlines()[:-1]:
        assert line in page, f"docs/theory.md lacks this line of 'python -m research.theory': {line}"
