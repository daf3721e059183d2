"""Comparisons from the command line: runs that diverge, a folder in use, one method, one order, few seeds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import SHORT, own, refuses, run

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]

# The unimodal losses times 1e30, without clipping: this method diverges, the others do not.
WILD = ["-m", "joint", "-m", "uniform:weight=1e30", "-s", "training.clip_norm=null", "-s", "training.optimiser=sgd"]


def test_a_run_that_diverges_ends_nothing_and_gives_the_exit_code_3(run: Run, own: Path, tmp_path: Path) -> None:
    command = ["compare", "--data", own, *WILD, "--seeds", "2", *SHORT, "-o", "out"]
    code, out, err = run(*command)
    assert code == 3, err
    assert err.count("diverged: uniform:weight=1e30, seed ") == 2 and "training.learning_rate" in err
    assert "Traceback" not in err
    assert "2 runs diverged and have no numbers" in out and "report.html" in out
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [(f["method"], f["seed"]) for f in found["failures"]] == [("uniform:weight=1e30", seed) for seed in (0, 1)]
    assert {result["method"] for result in found["results"]} == {"joint"}
    assert "2 runs diverged" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert run(*command)[0] == 3  # again: finished runs are kept, the others diverge again
    assert run("report", "out")[0] == 0


def test_a_study_without_some_runs_gives_the_exit_code_3(run: Run, own: Path, tmp_path: Path) -> None:
    content = {"compare": {"methods": ["joint"], "settings": [{"label": "own", "data": {"name": str(own)}}]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    code, out, err = run("compare", "mine.yaml", *WILD, "--seeds", "1", *SHORT, "-o", "study")
    assert code == 3, err
    assert "undefined" in out and (tmp_path / "study" / "study.json").is_file()


def test_where_nothing_finishes_the_reason_is_one_message(run: Run, own: Path, tmp_path: Path) -> None:
    refuses(
        run("compare", "--data", own, *WILD[2:], "--seeds", "1", *SHORT, "-o", "out"),
        "Every run diverged, for instance uniform:weight=1e30, seed 0: Epoch 1",
    )
    assert not (tmp_path / "out" / "comparison.json").exists()


HOLD = """
import sys
from pathlib import Path
from equimodal.locks import locked
with locked(Path(sys.argv[1]), "a comparison"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("study", [False, True])
def test_a_folder_that_another_process_writes_into_is_refused(run: Run, own: Path, tmp_path: Path, study: bool) -> None:
    content = {"compare": {"methods": ["joint"], "settings": [{"label": "own", "data": {"name": str(own)}}]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    source = ["mine.yaml"] if study else ["--data", own]
    command = ["compare", *source, "-m", "joint", "--seeds", "1", *SHORT, "-o", "out"]
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, "out"], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    try:
        refuses(run(*command), "out: another process is writing", "Wait until it ends, or choose another folder")
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    finally:
        first.communicate("\n", timeout=60)
    assert run(*command)[0] == 0


@pytest.mark.slow
def test_of_two_commands_at_once_one_finishes_and_one_is_refused(own: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "equimodal.cli.main", "compare", "--data", str(own), "-m", "joint", "-q"]
    command += ["-s", "training.epochs=4", "-s", "model.width=8", "--seeds", "2", "-o", "out"]
    options = {"cwd": tmp_path, "stderr": subprocess.PIPE}
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    while not (tmp_path / "out" / "compare.yaml").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # on a busy machine it could be finished before the second has begun
    try:
        second = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=200, **options)
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode == 2 and b"another process is writing a comparison" in second.stderr
    _, err = first.communicate(timeout=200)
    assert first.returncode == 0, err


def test_a_study_of_one_method_is_reported_without_ranks(run: Run, own: Path, tmp_path: Path) -> None:
    settings = [
        {"label": label, "data": {"name": str(own), "labels": labels}} for label, labels in (("few", 20), ("more", 40))
    ]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"compare": {"methods": ["joint"], "settings": settings}}))
    code, out, err = run("compare", "mine.yaml", "--seeds", "1", *SHORT, "-o", "out")
    assert code == 0, err
    assert "few" in out and "more" in out and "rank" not in out.lower()
    ranks = json.loads((tmp_path / "out" / "study.json").read_text())["ranks"]
    assert ranks["ranks"] == {"joint": 1.0} and ranks["p"] is None
    assert run("report", "out")[0] == 0


@pytest.mark.parametrize("method", ["unimodal_ensemble", "paper:order=[image,physio,motion]"])
def test_one_method_with_one_seed(run: Run, own: Path, method: str) -> None:
    code, out, err = run("compare", "--data", own, "-m", method, "--seeds", "1", *SHORT, "-o", "out")
    assert code == 0, err
    assert "One seed: no interval" in out
    assert run("report", "out")[0] == 0


def test_few_seeds_give_no_verdict(run: Run, own: Path) -> None:
    code, out, err = run("compare", "--data", own, "-m", "joint", "-m", "uniform", "--seeds", "3", *SHORT, "-o", "out")
    assert code == 0, err
    assert "too few seeds" in out and "Not judged, with fewer than 5 seeds" in out
    assert "better" not in out.replace("lower is better", "").replace("Lower is better", "")
