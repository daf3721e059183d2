"""Losses stay on the device and are read together: nothing is lost by it, and what is not finite is found in time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from equimodal.data.splits import Splits
from equimodal.errors import Diverged, RunError
from equimodal.methods.base import METHODS
from equimodal.seeds import permutation
from equimodal.testing.watching import Diary, watched
from equimodal.training import losses
from equimodal.training.loop import Trainer
from equimodal.training.losses import UnreadLosses
from synthetic import make_model
from training.runs import fit_tiny, lines_of

SIZE = 10
"""Rows of a batch: 5 batches of the 48 training rows."""


@pytest.fixture(params=[2, 50], ids=["every other batch", "seldom"])
def read_every(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(losses, "READ_EVERY", request.param)
    return request.param


def test_the_first_that_is_not_finite_is_named():
    unread = UnreadLosses()
    for batch, value in ((1, 1.0), (2, math.inf), (3, math.nan)):
        unread.add(batch, {"fine": torch.tensor(0.5), "wrong": torch.tensor(value)})
    with pytest.raises(Diverged, match=r"^batch 2: the loss 'wrong' became inf\. .*learning_rate"):
        unread.read()
    assert unread.read() == []


def test_losses_of_several_types_are_read_as_they_are():
    unread = UnreadLosses()
    values = {"half": torch.tensor(1 / 3, dtype=torch.bfloat16), "single": torch.tensor(1 / 3), "double": 1 / 3}
    unread.add(
        1,
        {name: torch.as_tensor(value, dtype=getattr(value, "dtype", torch.float64)) for name, value in values.items()},
    )
    assert dict(unread.read()) == {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize("method", ["joint", "equilibrium"])
def test_the_history_has_the_means_of_what_each_batch_lost(tiny: Splits, tmp_path: Any, method: str, read_every: int):
    diary = Diary()
    with watched(METHODS.get(method), diary):
        fit_tiny(tiny, method, tmp_path / "run", batch_size=SIZE)
    lines = lines_of(tmp_path / "run")
    each = len(diary.batches) // len(lines)
    assert each == 5
    for number, line in enumerate(lines):
        sums: dict[str, list[float]] = {}
        for batch in diary.batches[number * each : (number + 1) * each]:
            for step in batch:
                for name, loss in step.items():
                    sums.setdefault(name, []).append(loss)
        assert line["train"] == {name: sum(found) / len(found) for name, found in sums.items()}


def with_nan(data: Splits, batch: int) -> Splits:
    """Return data in which some values of a batch of the first epoch, counted from 1, are not numbers."""
    order = permutation(len(data.train), 0, "order", 0, 0, 0).numpy()
    rows = order[(batch - 1) * SIZE : batch * SIZE]
    x = np.array(data.train.arrays["vector"])
    x[rows] = np.nan
    return Splits(data.train.replace_column("vector", x), data.validation, data.test)


@pytest.mark.parametrize("method", ["joint", "mm_pareto"])
def test_what_is_not_finite_in_the_data_is_found_in_its_batch(
    tiny: Splits, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, method: str, read_every: int
):
    monkeypatch.setattr(Trainer, "measure_validation", lambda trainer: pytest.fail("the epoch was measured"))
    with pytest.raises(Diverged, match=r"^Epoch 1, batch 3: the loss '\w+' became nan\. "):
        fit_tiny(with_nan(tiny, 3), method, tmp_path / "run", model=make_model(tiny, width=6), batch_size=SIZE)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert not (tmp_path / "run" / "history.jsonl").exists()


def failing(loss: float, error: Callable[[], Exception]) -> Any:
    """Return a watch in which the loss of the second batch is spoilt, and the third fails."""
    batches = 0

    def watch(method: Any, batch: Any, plain: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise error()
        for update in plain(batch):
            if batches == 2:
                for name, (total, count) in update.losses.items():
                    update.losses[name] = (total * loss, count)
            yield update

    return watch


@pytest.mark.parametrize("error", [lambda: RunError("no more"), lambda: ValueError("a negative probability")])
def test_an_error_that_a_spoilt_loss_has_caused_is_told_as_such(tiny: Splits, error: Any):
    with (
        watched(METHODS.get("joint"), failing(math.nan, error)),
        pytest.raises(Diverged, match="Epoch 1, batch 2: the loss 'fused' became nan") as found,
    ):
        fit_tiny(tiny, "joint", batch_size=SIZE)
    assert isinstance(found.value.__context__, Diverged) or isinstance(found.value.__cause__, Diverged)


def test_an_error_with_losses_that_are_finite_stays_what_it_is(tiny: Splits):
    for error, expected in (
        (lambda: RunError("no more"), "Epoch 1, batch 3: no more"),
        (lambda: ValueError("a negative probability"), "^a negative probability$"),
    ):
        with watched(METHODS.get("joint"), failing(1.0, error)), pytest.raises(type(error()), match=expected):
            fit_tiny(tiny, "joint", batch_size=SIZE)
