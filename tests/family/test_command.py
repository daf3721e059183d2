"""`python -m research.family`: what it prints, what it writes, and mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.test_mistakes import refuses
from programs import program
from research.family.__main__ import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    from research.family import sweep

    monkeypatch.setitem(sweep.TRAINING, "epochs", 1)
    monkeypatch.chdir(tmp_path)
    return program("family", main, monkeypatch, capsys)


def test_tables_files_and_figures(call: Run, tmp_path: Path) -> None:
    code, out, err = call("--seeds", 1, "--interactions", 1, "--weak", 0.75, "-m", "alternating", "--draw", "figures")
    assert code == 0
    assert err.splitlines() == ["1 of 1: 1 of 3 interactions, strength 0.75, seed 0"]
    assert "Accuracy, b of strength 0.75" in out
    assert "product of unimodal experts" in out
    assert (tmp_path / "comparisons" / "family" / "runs.csv").is_file()
    assert len(list((tmp_path / "figures").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-m", "joined"), "no method is called 'joined'"),
        (("--interactions", 5), "interactions: expected 0 to 3"),
        (("--modalities", 5), "modalities: expected 2 or 3"),
        (("--bits", 0), "bits"),
        (("--weak", "-1"), "strengths.b"),
    ],
)
def test_mistakes_are_one_message_before_anything_runs(
    call: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    refuses(call(*arguments), message)
    assert not list(tmp_path.iterdir())
