"""A user's own data, from files to report: three modalities of different shapes, 30% of entries absent."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.own_data import write_own_data
from equimodal.cli.main import main
from programs import program

pytestmark = pytest.mark.slow


@pytest.fixture
def equimodal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """A function that calls the program in an empty folder, and returns what it printed.

    It calls it in this process: to import torch six times would cost more than all that is checked. Other tests of
    this folder start real processes.
    """
    call = program("equimodal", main, monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> str:
        code, out, err = call(*arguments)
        assert code == 0, err
        return out

    return run


def test_train_evaluate_predict_report(equimodal: Callable[..., str], tmp_path: Path) -> None:
    own = write_own_data(tmp_path / "own", seed=1, samples=240)
    equimodal("train", "--data", "own", "-q", "-s", "training.epochs=15", "-o", "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["test"]["unimodal"]) == {"motion", "image", "physio"}
    assert metrics["test"]["accuracy"] > 0.6  # a third by chance
    assert set(metrics["test"]["utilisation"]) == {"motion", "image", "physio"}

    # subjects were split apart
    groups = np.array((own / "groups.csv").read_text().split()[1:])
    from equimodal.data.catalogue import load

    splits = load(own)
    parts = [set(part.groups.tolist()) for part in splits.parts().values()]  # pyright: ignore
    assert set.union(*parts) == set(groups.tolist())
    assert sum(map(len, parts)) == len(set(groups.tolist()))

    whole = json.loads(equimodal("evaluate", "run", "--json"))
    assert whole["accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    less = json.loads(equimodal("evaluate", "run", "--json", "--present", "image"))
    assert less["accuracy"] == pytest.approx(metrics["test"]["unimodal"]["image"]["accuracy"])

    equimodal("predict", "run", "own", "-o", "p.csv")
    with (tmp_path / "p.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = (own / "labels.txt").read_text().split()
    assert len(rows) == len(labels) == 240
    right = {row["id"] for row, label in zip(rows, labels, strict=True) if row["prediction"] == label}
    test_ids = [str(i) for i in splits.test.ids]
    assert np.mean([i in right for i in test_ids]) == pytest.approx(metrics["test"]["accuracy"])
    for row in rows[:5]:
        assert sum(float(row[f"p({name})"]) for name in ("calm", "glad", "sad")) == pytest.approx(1, abs=1e-5)

    # a new recording with one modality only, and no labels
    (tmp_path / "new").mkdir()
    np.save(tmp_path / "new" / "image.npy", np.load(own / "image.npy")[:7])
    equimodal("predict", "run", "new", "-o", "new.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
    assert len(lines) == 7
    assert all(sum(line["probabilities"].values()) == pytest.approx(1) for line in lines)

    page = Path(equimodal("report", "run").strip())
    text = (tmp_path / page).read_text()
    assert f"{metrics['test']['accuracy']:.3f}" in text
