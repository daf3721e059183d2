"""`analyse`: from a YAML to a folder, resumed after a kill, and its mistakes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from analyses.made_up import content, write_data
from cli.test_mistakes import refuses, run
from processes import start_command

__all__ = ["run"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    described = content(write_data(tmp_path / "data"), methods=["joint", "paper"], seeds=1)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(described))
    return tmp_path / "mine.yaml"


def test_tau_from_yaml_to_page(run: Run, recipe: Path, tmp_path: Path) -> None:
    code, out, err = run("analyse", "tau", recipe, "--values", "0.05,0.9", "--workers", "2")
    assert code == 0, err
    assert "Not part of this analysis: the methods joint." in err and "own: 7 runs, about " in err
    assert "alignment 0.1, tau 0.05" in out and "What the threshold keeps" in out
    folder = tmp_path / "analyses" / "tau-own"
    for place in (
        "report.html",
        "runs.csv",
        "table.md",
        "analysis.json",
        "figures/tau-kept.svg",
        "figures/tau-kept.pdf",
        "own/table.csv",
    ):
        assert (folder / place).is_file(), place
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert run("report", folder)[0] == 0
    assert (folder / "report.html").read_bytes() == page


def test_encoders_from_yaml_to_page(run: Run, recipe: Path, tmp_path: Path) -> None:
    described = yaml.safe_load(recipe.read_text())
    narrow: dict[str, Any] = {"label": "narrow", "encoders": {"strong": {"name": "mlp", "hidden": 2}}}
    described["compare"]["encoders"] = [{"label": "default"}, narrow]
    recipe.write_text(yaml.safe_dump(described))
    code, out, err = run("analyse", "encoders", recipe, "-m", "joint", "-m", "ogm_ge")
    assert code == 0, err
    assert "own, narrow: 3 runs, about " in err and "own: reading the runs" in err
    assert "== own, ogm_ge ==" in out and "narrow against default: accuracy" in out
    folder = tmp_path / "analyses" / "encoders-own"
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert run("report", folder)[0] == 0
    assert (folder / "report.html").read_bytes() == page
    assert (folder / "own-narrow" / "ogm_ge" / "seed-0" / "metrics.json").is_file()
    narrow["encoders"]["strong"]["hidden"] = 4
    recipe.write_text(yaml.safe_dump(described))
    refuses(
        run("analyse", "encoders", recipe, "-m", "joint", "-q"), "own-narrow: holds a comparison with another", "hidden"
    )


def test_features_from_yaml_to_page(run: Run, recipe: Path, tmp_path: Path) -> None:
    code, out, err = run("analyse", "features", recipe, "--epochs", "2,0", "--projections", "pca")
    assert code == 0, err
    assert "own: reading the runs" in err and "Differences after epoch 2" in out
    folder = tmp_path / "analyses" / "features-own"
    page = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert run("report", folder)[0] == 0
    assert (folder / "report.html").read_bytes() == page
    assert (folder / "figures" / "features-joint-pca.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["order", "-m", "joint"], ["'joint' is no recipe of equilibrium", "-m equilibrium"]),
        (["order", "-m", "equilibrum"], ["'equilibrum'", "Did you mean 'equilibrium'?"]),
        (["ablation", "-d", "nowhere"], ["nowhere", "No data set and no file"]),
        (["ablation", "-s", "training.epoch=2"], ["training.epoch", "Did you mean 'epochs'?"]),
        (["tau", "--values", "0.1,half"], ["--values", "0.1,half"]),
        (["tau", "--values", "0.1,1.5"], ["--values", "1.5"]),
        (["tau", "-m", "paper:memory.enabled=false"], ["no memory, and so no mapping"]),
        (["order", "--strategies", "randm"], ["--strategies", "Did you mean 'random'?"]),
        (["order", "--strategies", "random,random"], ["--strategies", "random is there twice"]),
        (["order", "--strategies", "weak_to_strong"], ["--strategies", "besides weak_to_strong"]),
        (["order", "--initial", "some"], ["--initial", "all or declared", "'some'"]),
        (["order", "-s", "model.fusion=concat"], ["model.fusion", "'concat'"]),
        (["encoders", "-m", "joint"], ["compare.encoders: expected at least two", "got none", "Write for instance"]),
        (["encoders", "-s", "compare.encoders=[{label: a, encoders: {weak: mpl}}]"], ["(a).weak", "mean 'mlp'"]),
        (["features", "--epochs", "0,soon"], ["--epochs: expected whole numbers from 0", "'0,soon'"]),
        (["features", "--epochs", "0,3"], ["measure.encodings.epochs: epoch 3 is beyond training, which has 2"]),
        (["features", "--projections", "pca,tsen"], ["there is no 'tsen'", "Did you mean 'tsne'?"]),
        (["features", "--projections", ""], ["--projections: expected at least one"]),
        (["order", "--workers", "many"], ["--workers", "many"]),
        (["order", "nothing.yaml"], ["nothing.yaml", "no such file"]),
    ],
)
def test_mistakes_are_one_message_and_leave_nothing(
    run: Run, recipe: Path, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    kind, *rest = arguments
    given = rest if rest[0].endswith(".yaml") else [recipe, *rest]
    refuses(run("analyse", kind, *given, "-q"), *parts)
    assert not (tmp_path / "analyses").exists()


def test_no_such_analysis(run: Run) -> None:
    code, _, err = run("analyse", "ordr")
    assert code == 2 and "No such command 'ordr'" in err


@pytest.mark.slow
def test_killed_and_resumed(recipe: Path, tmp_path: Path) -> None:
    def start(out: Path) -> BaseProcess:
        choice = ("--strategies", "random", "--initial", "declared")
        return start_command("analyse", "order", recipe, "-q", "-o", out, *choice, errors=out.with_suffix(".txt"))

    def finish(out: Path) -> None:
        process = start(out)
        process.join()
        assert process.exitcode == 0, out.with_suffix(".txt").read_text()

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(whole)
    process = start(killed)
    while process.is_alive() and len(list(killed.rglob("metrics.json"))) < 2:
        time.sleep(0.005)
    assert process.is_alive()
    os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not (killed / "analysis.json").exists()
    finish(killed)
    for file in ("table.md", "figures/order-crossing.svg"):
        assert (killed / file).read_text() == (whole / file).read_text()
