"""Numbers that a user reads after training on data whose rows come in groups."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from equimodal.cli.main import main


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    monkeypatch.setattr(sys, "argv", ["equimodal", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, capsys.readouterr().err
    return capsys.readouterr().out


def write_speakers(folder: Path, speakers: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], speakers * 5)
    who = np.repeat(np.arange(speakers), 10)
    folder.mkdir()
    for name, strength in {"sound": 2.0, "face": 1.0}.items():
        own = rng.normal(size=(speakers, 3))[who]
        np.save(folder / f"{name}.npy", strength * labels[:, None] + own + rng.normal(size=(len(who), 3)) / 2)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "groups.npy", np.array([f"speaker {i}" for i in who]))


@pytest.mark.parametrize(
    ("speakers", "said"), [(20, "(resampled: groups: 4)"), (8, "intervals and noise floor are undefined")]
)
def test_train_evaluate_and_report_say_what_intervals_resample(speakers, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_speakers(tmp_path / "talks", speakers)
    short = ["-q", "-s", "training.epochs=3", "-s", "model.width=8", "-s", "reference=false"]
    out = call(monkeypatch, capsys, "train", "joint", "-d", "talks", "-o", "run", *short)
    assert said in out
    assert said in call(monkeypatch, capsys, "evaluate", "run")
    history = [json.loads(line) for line in Path("run/history.jsonl").read_text().splitlines()]
    assert all(line["validation"]["contribution"]["groups"] == round(speakers / 5) for line in history)
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert ("resampled: groups: 4" if speakers == 20 else said) in page
    assert ("Intervals:" in page) == (speakers == 20)
