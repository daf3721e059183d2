"""Real processes, killed at random moments or asked to stop; what they leave is gone on with to the bit."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equimodal.config.load import load_config
from equimodal.data.catalogue import load
from equimodal.training.fit import train
from processes import start

pytestmark = pytest.mark.slow

EPOCHS = 20
SETTINGS = (f"training.epochs={EPOCHS}", "training.batch_size=16", "measure.bootstrap=20", "model.width=16")
FILES = ("model.safetensors", "checkpoint/state.safetensors")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    path = tmp_path_factory.mktemp("own") / "own.npz"
    vector = rng.normal(size=(240, 6)) + 1.5 * np.eye(6)[labels]
    vector[rng.random(240) < 0.3] = np.nan
    np.savez(path, vector=vector, other=rng.normal(size=(240, 4)) + np.eye(4)[labels], labels=labels)
    return path


def carry_out(own: Path, folder: Path) -> None:
    """Train, or go on; what the processes do."""
    train(load_config("equilibrium", SETTINGS), load(own), folder=folder, resume=folder.exists(), quiet=True)


def wait_for_lines(is_running: Callable[[], bool], folder: Path, lines: int) -> bool:
    """Wait until more than so many epochs were trained, the reference's counted; False if the process ended."""
    while is_running():
        if written(folder) > lines:
            return True
        time.sleep(0.001)
    return False


def written(folder: Path) -> int:
    histories = [path for path in (folder / "history.jsonl", folder / "reference" / "history.jsonl") if path.exists()]
    return sum(path.read_bytes().count(b"\n") for path in histories)


def assert_same(one: Path, other: Path) -> None:
    for name in (*FILES, *(f"reference/{file}" for file in FILES)):
        weights, others = load_file(one / name), load_file(other / name)
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[key], others[key]) for key in weights), name
    for name in ("history.jsonl", "reference/history.jsonl"):
        lines, others = ([json.loads(line) for line in (run / name).read_text().splitlines()] for run in (one, other))
        for line in (*lines, *others):
            del line["seconds"], line["memory"]
        assert [line["epoch"] for line in lines] == list(range(1, len(lines) + 1))
        assert lines == others
    assert (one / "metrics.json").read_text() == (other / "metrics.json").read_text()


def test_kill_at_random_moments_and_go_on(own: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    carry_out(own, whole)
    seed = random.SystemRandom().randrange(2**32)
    draw = random.Random(seed)
    kills: list[tuple[int, float]] = []
    process = start(carry_out, own, killed)
    # An epoch further at least from kill to kill, or the run would never end.
    while wait_for_lines(process.is_alive, killed, written(killed) + draw.randrange(16)):
        delay = draw.uniform(0, 0.03)
        time.sleep(delay)
        process.kill()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills.append((written(killed), round(delay, 4)))
        process = start(carry_out, own, killed)
    process.join()
    print(f"seed {seed}, killed after (epochs, seconds): {kills}")
    assert process.exitcode == 0
    assert len(kills) >= 3
    assert_same(whole, killed)


def test_a_command_stopped_by_ctrl_c_says_how_to_go_on(own: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = [part for setting in (*SETTINGS, "reference=false") for part in ("-s", setting)]
    command = [sys.executable, "-m", "equimodal.cli.main", "train", "joint", "-d", own, "-q", "-o", folder, *settings]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert wait_for_lines(lambda: process.poll() is None, folder, 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == "" and err.startswith("Interrupted after")
    assert err.strip().endswith(f"Everything is kept in {folder}; the same command with --resume continues.")
    assert not (folder / "metrics.json").exists()
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    epochs = [json.loads(line)["epoch"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, EPOCHS + 1))
