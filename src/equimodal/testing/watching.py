"""Watching a method at work: what each update was, what it moved, and what it would have done with other batches."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import Method, Outcome, Update
from equimodal.methods.gradients import encoder_parameters
from equimodal.modes import evaluating

Updates = Generator[Update, Outcome, None]
Watch = Callable[[Method, Batch, Callable[[Batch], Updates]], Updates]
"""Replaces a method's `updates`: gets the method, the batch, and a function that returns the method's own updates."""


@contextmanager
def watched(method: type[Method], watch: Watch) -> Iterator[None]:
    """Let `watch` replace the updates of every instance of a method."""
    plain = method.updates
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "updates", lambda self, batch: watch(self, batch, lambda other: plain(self, other)))
        yield


def follow(updates: Updates, notice: Callable[[Update, Outcome], None]) -> Updates:
    """Pass updates on to the loop, and report the result of each before the method continues."""
    outcome = None
    while True:
        try:
            update = updates.send(outcome)  # pyright: ignore[reportArgumentType] - None starts a generator
        except StopIteration:
            return
        outcome = yield update
        notice(update, outcome)


class Diary:
    """A watch that notes the losses of every update, and can press Ctrl-C during one batch.

    Args:
        stop_at: number of that batch, from 1.
    """

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.batches: list[list[dict[str, float]]] = []

    def __call__(self, method: Method, batch: Batch, plain: Callable[[Batch], Updates]) -> Updates:
        """Pass the updates on."""
        losses: list[dict[str, float]] = []
        self.batches.append(losses)
        if len(self.batches) == self.stop_at:
            signal.raise_signal(signal.SIGINT)
        yield from follow(plain(batch), lambda _, outcome: losses.append(_floats(outcome.losses)))


@dataclass(frozen=True)
class Step:
    """The result of one update.

    Args:
        where: the update, in words.
        present: modalities that some row of the batch has.
        modalities: those of the update.
        losses: (sum, count) of each term.
        rows: of the batch.
        outcome: what the method got.
        moved: modalities with own parameters that changed at all since the update before.
        encoders_moved: the same for the encoders alone.
    """

    where: str
    present: frozenset[str]
    modalities: tuple[str, ...]
    losses: dict[str, tuple[float, float]]
    rows: int
    outcome: Outcome
    moved: frozenset[str]
    encoders_moved: frozenset[str]


Plan = list[tuple[tuple[str, ...], dict[str, tuple[float, float]]]]
"""What a method would do with a batch: for each update its modalities, and each loss as (sum, count)."""


class Witness:
    """A watch that notes every step, hides modalities from whole batches, and asks what would be done with others.

    The question is asked at the first batch of every pass: it takes no step, and everything is as before
    when it has been answered.

    Args:
        absences: what to hide from the first batch, the second and so on, over and over.
    """

    def __init__(self, absences: Sequence[Sequence[str]]) -> None:
        self.absences = absences
        self.batches = 0
        self.steps: list[Step] = []
        self.plans: list[dict[str, Plan]] = []
        self._last: tuple[int, tuple[str, ...]] | None = None

    def __call__(self, method: Method, batch: Batch, plain: Callable[[Batch], Updates]) -> Updates:
        """Ask, then pass the updates of what is left of the batch on."""
        now = method.epoch, method.visiting
        if now != self._last:
            self._last = now
            self.plans.append({what: plan(method, plain, other) for what, other in variants(batch).items()})
        hidden = self.absences[self.batches % len(self.absences)]
        self.batches += 1
        number = self.batches
        batch = batch.restrict([name for name in batch.modalities if name not in hidden])
        there = frozenset(name for name, mask in batch.present.items() if mask.any())
        before, taken = _own_parameters(method), 0

        def note(update: Update, outcome: Outcome) -> None:
            nonlocal before, taken
            taken += 1
            after = _own_parameters(method)
            changed = [key for key, values in after.items() if not torch.equal(values, before[key])]
            before = after
            self.steps.append(
                Step(
                    where=f"batch {number} (hidden from it: {', '.join(hidden) or 'nothing'}), update {taken}",
                    present=there,
                    modalities=update.modalities,
                    losses=_numbers(update),
                    rows=len(batch),
                    outcome=outcome,
                    moved=frozenset(name for name, _ in changed),
                    encoders_moved=frozenset(name for name, is_encoder in changed if is_encoder),
                )
            )

        yield from follow(plain(batch), note)
        note(Update({}, ()), Outcome({}, stepped=False))  # what moves after the last update belongs to none


def _floats(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(loss) for name, loss in losses.items()}


def _numbers(update: Update) -> dict[str, tuple[float, float]]:
    return {name: (float(total.detach()), float(count)) for name, (total, count) in update.losses.items()}


def _own_parameters(method: Method) -> dict[tuple[str, bool], Tensor]:
    """Return the values of each modality's own parameters by (modality, whether they are its encoder's)."""
    found = {}
    for name in method.model.modalities:
        encoder = encoder_parameters(method.model, name)
        ids = {id(parameter) for parameter in encoder}
        own = [*method.model.own_parameters(name), *method.own_parameters(name)]
        for is_encoder, parameters in ((True, encoder), (False, [p for p in own if id(p) not in ids])):
            values = [parameter.detach().flatten() for parameter in parameters]
            found[name, is_encoder] = torch.cat(values) if values else torch.zeros(0)
    return found


def plan(method: Method, plain: Callable[[Batch], Updates], batch: Batch) -> Plan:
    """Return what a method would do with a batch, its encoders without dropout; all is as before afterwards."""
    modules = (method.model, method)
    before = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in modules]
    found: Plan = []
    with torch.random.fork_rng(devices=[]), evaluating(method.model.encoders):
        updates, outcome = plain(batch), None
        while True:
            try:
                update = updates.send(outcome)  # pyright: ignore[reportArgumentType] - None starts a generator
            except StopIteration:
                break
            losses = _numbers(update)
            found.append((update.modalities, losses))
            means = {name: torch.tensor(total / count) for name, (total, count) in losses.items() if count > 0}
            outcome = Outcome(means, stepped=bool(means))
    for module, state in zip(modules, before, strict=True):
        module.load_state_dict(state)
    return found


def variants(batch: Batch) -> dict[str, Batch]:
    """Return the batch and others of different content, by what is different.

    Example:
        >>> here = torch.tensor([True, True])
        >>> x = {"a": torch.zeros(2, 3), "b": torch.zeros(2, 4)}
        >>> [*variants(Batch(x, {"a": here, "b": here}, labels=torch.tensor([0, 1]), ids=torch.arange(2)))]
        ['as it is', 'nothing present', "'a' absent", "'b' absent", 'one label', 'every row twice']
    """
    names = batch.modalities
    return {
        "as it is": batch,
        "nothing present": batch.restrict(()),
        **{f"'{name}' absent": batch.restrict([other for other in names if other != name]) for name in names},
        "one label": Batch(batch.inputs, batch.present, torch.zeros_like(batch.labels), batch.ids, batch.lengths),
        "every row twice": twice(batch),
    }


def twice(batch: Batch) -> Batch:
    """Return the batch with every row repeated; its inputs must be plain tensors."""

    def double(columns: Mapping[str, Any]) -> dict[str, Any]:
        return {name: torch.cat([column, column]) for name, column in columns.items()}

    rows = double({"labels": batch.labels, "ids": batch.ids})
    return Batch(double(batch.inputs), double(batch.present), lengths=double(batch.lengths), **rows)


@contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """Seed every global generator, and restore them afterwards."""
    before = global_states()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the one that others may draw from
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before["random"])
        np.random.set_state(before["numpy.random"])  # noqa: NPY002
        torch.set_rng_state(torch.tensor(before["torch"], dtype=torch.uint8))


def global_states() -> dict[str, Any]:
    """Return the state of every global generator as plain values, by library."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy.random": (name, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state().tolist(),
    }
