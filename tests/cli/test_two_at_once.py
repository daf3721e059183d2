"""Two programs at once in one folder: one of them runs, the other says why it does not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.test_mistakes import SHORT, own, refuses, run
from equimodal.data.catalogue import load
from equimodal.errors import RunError
from equimodal.locks import locked
from equimodal.models.classifier import Classifier
from equimodal.training.fit import fit

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]
TRAIN = ["train", "joint", *SHORT, "-s", "reference=false", "-o", "out"]


def test_a_folder_in_use_is_refused_and_left_alone(run: Run, own: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out", "a run"):
        for resume in ([], ["--resume"]):
            refuses(run(*TRAIN, "--data", own, *resume), "out: another process is writing a run into this folder")
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    assert run(*TRAIN, "--data", own)[0] == 0
    assert run(*TRAIN, "--data", own, "--resume")[0] == 0


@pytest.mark.slow
def test_the_second_of_two_programs_is_refused_and_the_first_finishes(run: Run, own: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "equimodal.cli.main", *TRAIN, "--data", str(own), "-s", "training.epochs=60"]
    first = subprocess.Popen(command, cwd=tmp_path)
    while not (tmp_path / "out" / "checkpoint").exists():
        assert first.poll() is None
        time.sleep(0.02)
    refuses(run(*TRAIN, "--data", own, "-s", "training.epochs=60", "--resume"), "another process is writing a run")
    assert first.wait(timeout=200) == 0
    assert run(*TRAIN, "--data", own, "-s", "training.epochs=60", "--resume")[0] == 0


def test_two_threads_in_one_folder(own: Path, tmp_path: Path) -> None:
    data = load(own)
    results: list[object] = []
    begun = threading.Barrier(2)

    def train() -> None:
        model = Classifier.for_data(data, width=4)
        begun.wait()
        try:
            options = {"measure": {"bootstrap": 0}, "epochs": 3, "reference": False, "quiet": True}
            results.append(fit(model, data, "joint", out=tmp_path / "out", **options))
        except RunError as error:
            results.append(str(error))

    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (message,) = [result for result in results if isinstance(result, str)]
    assert "another process is writing a run" in message or "holds a run with this configuration already" in message
