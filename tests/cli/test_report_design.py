"""The report of a comparison states splits, labels and tuning as its runs have them, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import run
from data.own_data import write_own_data
from equimodal.comparison.comparison import load_comparison

__all__ = ["run"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_own_data(tmp_path / "own", samples=96)


def test_the_report_says_how_each_seed_was_run(run: Run, own: Path, tmp_path: Path) -> None:
    content = {
        "data": {"name": str(own), "labels": 12},
        "model": {"width": 8},
        "training": {"epochs": 1},
        "measure": {"bootstrap": 0},
        "compare": {
            "methods": ["joint"],
            "seeds": 2,
            "tune": {"trials": 2, "grid": {"training.learning_rate": [0.0625]}},
        },
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    code, _, err = run("compare", "mine.yaml", "-q", "-o", "out")
    assert code == 0, err
    made = load_comparison(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for result in made.results["joint"]:
        kept = yaml.safe_load((tmp_path / "out" / "joint" / f"seed-{result.seed}" / "config.yaml").read_text())
        split = kept["provenance"]["split"]
        assert f"{split['sizes']['train']} of {split['pool']}, drawn with seed {result.seed}" in page
        for part in ("validation", "test"):
            assert f"<td>{split['sizes'][part]} (" in page
        assert f"joint, seed {result.seed}</th><td>{kept['training']['learning_rate']}</td>" in page
    assert "Each seed drew its own split: " in page
    assert "training.learning_rate: 0.0625." in page
    (tmp_path / "out" / "report.html").unlink()
    assert run("report", "out")[0] == 0
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == page
