"""`compare` with several settings, from YAML to pages, and its mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import own, refuses, run

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]


def write(path: Path, **compare: object) -> Path:
    content = {
        "model": {"width": 8},
        "training": {"epochs": 1},
        "measure": {"bootstrap": 0},
        "compare": {"methods": ["joint", "alternating"], "seeds": 2, **compare},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_study_from_yaml_to_pages(run: Run, own: Path, tmp_path: Path) -> None:
    settings = ["mfeat", {"label": "mine", "data": {"name": str(own)}}]
    recipe = write(tmp_path / "two.yaml", settings=settings, primary=["alternating vs joint"])
    code, out, err = run("compare", recipe)
    assert code == 0, err
    assert "mfeat: 6 runs, about " in err and "mine: 6 runs, about " in err
    assert "alternating vs joint, accuracy: " in out and "Ranks over 2 settings" in out
    folder = tmp_path / "comparisons" / "two"
    for place in ("report.html", "study.json", "study.yaml", "mine/report.html", "mfeat/table.csv", "mfeat/table.tex"):
        assert (folder / place).is_file(), place
    (folder / "report.html").unlink()
    assert run("report", folder)[0] == 0
    assert (folder / "report.html").is_file()
    code, _, err = run("compare", recipe)
    assert code == 0 and "6 finished" in err


@pytest.mark.parametrize(
    ("compare", "parts"),
    [
        ({"settings": ["emojy"]}, ["emojy", "Did you mean 'emoji'?"]),
        ({"settings": [{"label": "a", "training": {"epoch": 1}}]}, ["a: ", "epoch", "Did you mean 'epochs'?"]),
        ({"settings": ["mfeat"], "primary": ["altrnating vs joint"]}, ["altrnating", "Did you mean 'alternating'?"]),
        (
            {"primary": ["alternating vs joint"], "tune": {"trials": 2, "own": {"joint": {"a": [1]}}}},
            ["joint", "'method.a'"],
        ),
    ],
)
def test_mistakes_leave_nothing(run: Run, tmp_path: Path, compare: dict[str, object], parts: list[str]) -> None:
    recipe = write(tmp_path / "wrong.yaml", **compare)
    refuses(run("compare", recipe, "--data", "mfeat", "-q"), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_workers(run: Run, workers: str) -> None:
    refuses(run("compare", "-m", "joint", "--workers", workers), "--workers", workers)
