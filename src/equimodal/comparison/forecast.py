"""Estimate how long a run takes, from a few of its batches."""

from __future__ import annotations

import math
import re
import time

import torch

from equimodal.methods.base import Phase
from equimodal.training.loop import Trainer

BATCHES = 3


def seconds_of_run(trainer: Trainer) -> float:
    """Return the approximate seconds of a run, from a few batches of each kind of phase and one pass over validation.

    Args:
        trainer: of the run, set up and not started; do not use it afterwards.
    """
    total, finished, epochs = 0.0, 0, trainer.config.training.epochs
    known: dict[str, float] = {}
    with torch.random.fork_rng():
        started = time.perf_counter()
        trainer.measure_validation()
        validation = time.perf_counter() - started
        while (phase := trainer.method.next_phase(finished, epochs)) is not None:
            kind = re.sub(r"\d+", "", phase.name)
            if kind not in known:
                known[kind] = _seconds_of_epoch(trainer, phase) + validation
            total += phase.epochs * known[kind]
            finished += 1
    return total


def _seconds_of_epoch(trainer: Trainer, phase: Phase) -> float:
    started = time.perf_counter()
    train = trainer.rows_of_epoch(phase)
    before = time.perf_counter() - started
    size, passes = trainer.config.training.batch_size, trainer.method.passes()
    updater = trainer.make_updater()
    trainer.model.train()
    trainer.method.train()
    rows = list(range(min(size, len(train))))
    device = trainer.model.device
    spent = 0.0
    for visiting in passes:
        trainer.method.visiting = visiting
        rate = trainer.config.training.learning_rate
        trainer.train_batch(train.batch(rows).to(device), updater, rate)  # the first is slow
        trainer.read_losses()  # which waits for a device
        started = time.perf_counter()
        for _ in range(BATCHES):
            trainer.train_batch(train.batch(rows).to(device), updater, 0.0)
        trainer.read_losses()
        spent += (time.perf_counter() - started) / BATCHES
    return before + spent * math.ceil(len(train) / size)
