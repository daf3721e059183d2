"""The forecast of a run's time, on a clock that only batches and validation move."""

from __future__ import annotations

import math

import pytest
import torch

from equimodal.comparison import forecast
from equimodal.comparison.forecast import seconds_of_run
from equimodal.comparison.progress import announce
from equimodal.config.run import build_config
from equimodal.training.fit import set_up
from equimodal.training.loop import Trainer
from synthetic import make_splits

BATCH, VALIDATION, EPOCHS, SIZE = 2.0, 30.0, 5, 20


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def data():
    return make_splits(80, modalities=("vector", "sequence"))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(forecast, "time", clock)

    def train_batch(self, batch, updater, rate):
        clock.now += BATCH

    def measure_validation(self):
        clock.now += VALIDATION

    monkeypatch.setattr(Trainer, "train_batch", train_batch)
    monkeypatch.setattr(Trainer, "measure_validation", measure_validation)
    return clock


def forecast_of(data, method):
    config = build_config(
        {
            "method": method,
            "model": {"width": 4},
            "training": {"epochs": EPOCHS, "batch_size": SIZE},
            "reference": False,
        }
    )
    return seconds_of_run(set_up(config, data))


@pytest.mark.parametrize(
    ("method", "epochs", "passes"),
    [
        ("joint", EPOCHS, 1),
        ("equilibrium:alternation=epoch", EPOCHS, 2),  # a pass for each modality
        ("unimodal_ensemble", 2 * EPOCHS, 1),  # a phase each
        ("umt", 3 * EPOCHS, 1),  # two teachers, then the student
    ],
)
def test_every_phase_pass_and_batch_counts(data, clock, method, epochs, passes):
    batches = math.ceil(len(data.train) / SIZE)
    assert forecast_of(data, method) == pytest.approx(epochs * (passes * batches * BATCH + VALIDATION))


def test_what_is_held_out_does_not_count(data, clock):
    kept = forecast_of(data, "g_blending:super_epoch=5,held_out=0.5")
    batches = math.ceil(len(data.train) / 2 / SIZE)
    assert kept == pytest.approx(
        4 * EPOCHS * (batches * BATCH + VALIDATION)
    )  # three trials, then the weighted training


def test_the_callers_random_numbers_stay(data):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    forecast_of(data, "modality_dropout")
    assert torch.equal(torch.rand(3), expected)


def test_what_is_announced(capsys):
    announce({"one": (10, 0, 30.0), "two": (20, 5, 7200.0)}, 2)
    assert capsys.readouterr().err.splitlines() == [
        "one: 10 runs, about 30 s of computing",
        "two: 20 runs, 5 finished, about 2 h 0 min of computing",
        "About 1 h 0 min in all with 2 in parallel.",
    ]
    announce({"one": (10, 10, 0.0)}, "ray")
    assert capsys.readouterr().err.splitlines() == ["one: 10 runs, 10 finished, about 0 s of computing"]
