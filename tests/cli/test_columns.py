"""What is in the files, whatever its unit, size or length: through the commands that a user types."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equimodal.cli.main import main

N = 120
LABELS = np.arange(N) % 2
SHORT = ["-q", "-s", "training.epochs=4", "-s", "training.batch_size=16", "-s", "reference=false"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Call the program as a shell would, from an empty folder; return its exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["equimodal", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            return 0 if stop.code is None else int(stop.code)
        return 0

    return call


def write(folder: Path, volts: np.ndarray, seconds: np.ndarray) -> Path:
    folder.mkdir()
    np.save(folder / "volts.npy", volts)
    lines = [",".join(repr(float(value)) for value in row) for row in seconds]
    (folder / "seconds.csv").write_text("\n".join(["start,stop", *lines]) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("".join("no\n" if label else "yes\n" for label in LABELS), encoding="utf-8")
    return folder


def accuracies(folder: Path) -> dict[str, float]:
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    return {"fused": found["accuracy"], **{name: scores["accuracy"] for name, scores in found["unimodal"].items()}}


@pytest.mark.parametrize(("scale", "offset"), [(1e-7, 0.0), (1e-13, 0.0), (1.0, 1.7e9), (1e20, 0.0)])
def test_the_unit_of_a_file_changes_no_accuracy(run, tmp_path, scale, offset):
    random = np.random.default_rng(0)
    volts, seconds = random.normal(LABELS[:, None], 0.7, (N, 4)), 1400 * random.normal(LABELS[:, None], 0.7, (N, 2))
    for name, (a, b) in {"plain": (1.0, 0.0), "other": (scale, offset)}.items():
        write(tmp_path / name, a * volts, b + a * seconds)
        assert run("train", "-d", name, *SHORT, "-o", f"runs/{name}") == 0
    plain = accuracies(tmp_path / "runs/plain")
    assert min(plain.values()) > 0.6
    assert accuracies(tmp_path / "runs/other") == plain


def test_one_long_line_of_text_is_read_trained_and_predicted(run, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    texts = ["a good day" if label else "a bad day" for label in LABELS]
    texts[5] = "long " * 20_000
    (folder / "text.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    np.save(folder / "vector.npy", np.random.default_rng(0).normal(LABELS[:, None], 1, (N, 3)))
    np.save(folder / "labels.npy", LABELS)
    assert run("train", "unimodal_ensemble", "-d", folder, *SHORT, "-s", "training.epochs=12", "-o", "runs/texts") == 0
    assert accuracies(tmp_path / "runs/texts")["text"] > 0.9
    assert run("predict", "runs/texts", folder, "-o", "predictions.csv") == 0
    assert len((tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()) == N + 1


def test_readers_change_no_number(run, tmp_path):
    random = np.random.default_rng(0)
    write(tmp_path / "data", random.normal(LABELS[:, None], 1, (N, 4)), random.normal(LABELS[:, None], 1, (N, 2)))
    for readers in (0, 2):
        out = f"runs/{readers}"
        assert run("train", "-d", "data", *SHORT, "-s", f"training.loader_workers={readers}", "-o", out) == 0
    first, second = (json.loads((tmp_path / f"runs/{n}/metrics.json").read_text(encoding="utf-8")) for n in (0, 2))
    assert first["test"] == second["test"]
    # Who reads is no part of what was run: the run can be resumed with other readers.
    assert run("train", "-d", "data", *SHORT, "-o", "runs/2", "--resume") == 0


def test_pictures_with_channels_first_say_what_to_do(run, tmp_path, capsys):
    folder = write(tmp_path / "data", np.ones((N, 4)), np.ones((N, 2)))
    np.save(folder / "picture.npy", np.zeros((N, 3, 8, 8), np.uint8))
    assert run("train", "-d", folder, *SHORT) == 2
    assert "array.transpose(0, 2, 3, 1)" in capsys.readouterr().err
