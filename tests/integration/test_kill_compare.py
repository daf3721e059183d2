"""A study killed with its workers at random moments goes on to the numbers of one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import yaml

from processes import start_command

pytestmark = pytest.mark.slow

KILLS = 1
"""Most kills: each start of two workers costs the seconds of importing torch twice."""


def write_recipe(folder: Path) -> Path:
    """Write data, and a study of two settings, two methods, and two candidates each."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    vector, other = rng.normal(size=(150, 6)) + np.eye(6)[labels], rng.normal(size=(150, 4)) + np.eye(4)[labels]
    np.savez(folder / "own.npz", vector=vector, other=other, labels=labels)
    content = {
        "data": {"name": str(folder / "own.npz")},
        "model": {"width": 8},
        "training": {"epochs": 3, "batch_size": 16},
        "measure": {"bootstrap": 5},
        "compare": {
            "methods": ["joint", "alternating"],
            "seeds": 1,
            "settings": [{"label": "all"}, {"label": "few", "data": {"labels": 45}}],
            "primary": ["alternating vs joint"],
            "tune": {"trials": 2, "grid": {"training.learning_rate": [0.01]}},
        },
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder / "study.yaml"


def start(recipe: Path, out: Path, workers: int = 2) -> BaseProcess:
    arguments = ("compare", recipe, "-q", "--workers", workers, "-o", out)
    return start_command(*arguments, errors=out.with_suffix(".txt"))


def runs_done(out: Path) -> int:
    return len(list(out.rglob("metrics.json"))) + len(list(out.rglob("validation.json")))


def numbers(folder: Path) -> list[dict[str, object]]:
    found = json.loads((folder / "comparison.json").read_text())["results"]
    return [{key: value for key, value in run.items() if key not in ("seconds", "memory")} for run in found]


def test_kill_a_study_and_go_on(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    alone = start(recipe, whole, workers=1)  # saves the start of two workers
    alone.join()
    assert alone.exitcode == 0
    draw = random.Random(random.SystemRandom().randrange(2**32))
    kills = []
    while True:
        process = start(recipe, killed)
        until = runs_done(killed) + draw.randrange(1, 15) if len(kills) < KILLS else sys.maxsize
        while process.is_alive() and runs_done(killed) < until:
            time.sleep(0.05)  # looking through the folders takes time from what is tested
        if not process.is_alive():
            break
        time.sleep(draw.uniform(0, 0.05))
        os.killpg(process.pid or 0, signal.SIGKILL)  # its workers too
        process.join()
        kills.append(runs_done(killed))
    assert process.exitcode == 0, killed.with_suffix(".txt").read_text()
    print("killed after so many runs:", kills)
    assert kills
    for setting in ("all", "few"):
        assert numbers(killed / setting) == numbers(whole / setting)
    found, expected = (json.loads((folder / "study.json").read_text()) for folder in (killed, whole))
    assert {**found, "command": None} == {**expected, "command": None}
    hidden = {path.name for path in killed.rglob(".*") if path.is_file()}
    assert hidden <= {".lock"}
