"""Gradient-Blending: a loss for each modality and the fusion, weighted by how well each generalises."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Literal, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.data.dataset import Dataset
from equimodal.errors import DataError
from equimodal.methods.base import METHODS, Loss, MethodConfig, Outcome, Phase, Update, cross_entropy
from equimodal.methods.heads import WithHeads

ROWS_AT_A_TIME = 256
FLOOR = 0.01
"""Nats; a gap between training and held-out loss that grew by less counts as grown by this much (ours)."""


class GBlendingConfig(MethodConfig):
    """Options of Gradient-Blending.

    Args:
        super_epoch: epochs from one estimate of the weights to the next, and of each trial.
        held_out: share of the training rows on which generalisation is measured.
        rows: what the weighted training learns from: "kept", the rows that are not held out; or "all", with which
            every estimate but the first measures rows that have been learnt.
    """

    super_epoch: int = Field(default=10, ge=1)
    held_out: float = Field(default=0.2, gt=0, le=0.5)
    rows: Literal["kept", "all"] = "kept"


def blend(before: Tensor, after: Tensor, last: Tensor) -> Tensor:
    r"""Return the weights of the tasks, from the losses before and after a trial of each.

    $$
    w_k \propto G_k / O_k^2, \quad G_k = V_k - V_k', \quad O_k = (V_k' - T_k') - (V_k - T_k)
    $$

    with T the training and V the held-out loss, and a dash after the trial. A task that gained nothing gets 0, and
    O is at least `FLOOR` in size (ours); if no task gained, the last weights stay (ours).

    Args:
        before: (K, 2), training and held-out loss of each task before its trial.
        after: the same after it.
        last: the weights so far (K,).

    Returns:
        Weights (K,) of sum 1.

    Example:
        >>> before = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
        >>> after = torch.tensor([[0.4, 0.6], [0.4, 0.8]])  # G = .4 and .2, O = .2 and .4
        >>> [round(float(w), 3) for w in blend(before, after, torch.tensor([0.5, 0.5]))]  # 10 to 1.25
        [0.889, 0.111]
    """
    gain = before[:, 1] - after[:, 1]
    growth = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    scores = gain.clamp(min=0) / growth.abs().clamp(min=FLOOR).square()
    return scores / scores.sum() if bool(scores.sum() > 0) else last


@METHODS.register("g_blending")
class GBlending(WithHeads):
    r"""Train on a loss for each modality and the fused one, weighted by how well each task generalises (online).

    Minimise $\sum_k w_k CE_k$ over the n modalities, each with a linear head that is dropped afterwards, and the
    fused logits. Before each super-epoch every task is tried by itself from a copy of the weights, for as many epochs,
    without the held-out part of the training rows; the weights follow from what each trial gained there and how far it
    over-fitted: `blend`. Validation and test play no part.

    Ours: the held-out part stays out of the weighted training too, since an estimate on rows that have been learnt is
    none (`rows="all"` learns from all); it is disjoint in groups where the data have groups; the guards of
    `blend`; trials go through the super-epoch's part of the learning-rate schedule; each super-epoch begins with
    a fresh optimiser.

    Source: Wang, Tran, Feiszli, 2020, "What Makes Training Multi-Modal Classification Networks Hard?", CVPR 2020,
    arXiv 1905.12681.
    """

    Config = GBlendingConfig
    config: GBlendingConfig
    held_out: Tensor
    losses: Tensor
    weights: Tensor

    def __init__(self, model: Any, config: GBlendingConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.tasks: tuple[str | None, ...] = (*model.modalities, None)  # None: the fused logits
        K = len(self.tasks)
        self.stage = K  # number of the task on trial; K in the weighted training
        self.register_buffer("losses", torch.zeros(2, K, 2))  # before and after the trials: see blend
        self.register_buffer("weights", torch.full((K,), 1 / K))

    def begin(self, train: Dataset) -> None:
        """Draw the held-out part of the training rows.

        Raises:
            DataError: there are fewer than three rows, or groups.
        """
        from equimodal.data.assignment import assign  # scikit-learn costs a second: only who holds out pays

        half = self.config.held_out / 2  # the parts that assign makes beside training, taken together
        try:
            part = assign(cast(np.ndarray, train.labels), train.groups, (1 - 2 * half, half, half), self.seed)
        except DataError as error:
            raise DataError(f"method g_blending, which holds out a part of the training rows: {error}") from error
        self.register_buffer("held_out", torch.from_numpy(part > 0))

    def next_phase(self, finished: int, epochs: int) -> Phase | None:
        """Return, for each super-epoch, a trial of every task, then the weighted training."""
        number, self.stage = divmod(finished, len(self.tasks) + 1)
        start = number * self.config.super_epoch
        if start >= epochs:
            return None
        stop = min(start + self.config.super_epoch, epochs)
        span = (start / epochs, stop / epochs)
        if self._on_trial:
            name = self.tasks[self.stage] or "the fusion"
            return Phase(f"trial of {name}", stop - start, ends="last", trial=True, span=span)
        return Phase("train", stop - start, ends="best" if stop == epochs else "last", span=span)

    @property
    def _on_trial(self) -> bool:
        return self.stage < len(self.tasks)

    def training_data(self, train: Dataset) -> Dataset:
        """Return the rows that are not held out, or all for weighted training with `rows="all"`."""
        if self.config.rows == "all" and not self._on_trial:
            return train
        return train.subset(~self.held_out.cpu().numpy())

    def passes(self) -> list[tuple[str, ...]]:
        """Return one pass: over the modality on trial, or all."""
        name = self.tasks[self.stage] if self._on_trial else None
        return [self.model.modalities if name is None else (name,)]

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the loss of the task on trial, or the weighted sum of all."""
        (modalities,) = self.passes()
        encodings = {name: self.model.encode_one(batch, name) for name in modalities}
        tasks = [self.stage] if self._on_trial else range(len(self.tasks))
        losses: dict[str, Loss] = {}
        for k in tasks:
            total, count = self._loss(k, encodings, batch)
            name = "fused" if self.tasks[k] is None else f"{self.tasks[k]} alone"
            losses[name] = (total if self._on_trial else self.weights[k] * total, count)
        yield Update(losses, modalities)

    def _loss(self, k: int, encodings: Mapping[str, Tensor], batch: Batch) -> Loss:
        name = self.tasks[k]
        if name is None:
            return cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        return cross_entropy(self.heads[name](encodings[name]), batch.labels, batch.present[name])

    def on_epoch_start(self, train: Dataset) -> None:
        """Measure the task's losses before its trial."""
        if self._on_trial and self.epoch == 0:
            self.losses[0, self.stage] = self._measure(train)

    def on_phase_end(self, phase: Phase, train: Dataset) -> None:
        """Measure the task's losses after its trial; set the weights after the last trial."""
        if not self._on_trial:
            return
        self.losses[1, self.stage] = self._measure(train)
        if self.stage == len(self.tasks) - 1:
            self.weights.copy_(blend(*self.losses, last=self.weights))

    def _measure(self, train: Dataset) -> Tensor:
        """Return the mean loss of the task on trial: on the kept rows, and on those held out (0 if none has it)."""
        held_out = self.held_out.cpu().numpy()
        (modalities,) = self.passes()
        found = []
        for data in (train.subset(~held_out), train.subset(held_out)):
            total, count = torch.zeros_like(self.weights[0]), 0
            for batch in data.batches(ROWS_AT_A_TIME):
                batch = batch.to(self.weights.device)
                encodings = {name: self.model.encode_one(batch, name) for name in modalities}
                some, number = self._loss(self.stage, encodings, batch)
                total, count = total + some, count + int(number)
            found.append(total / max(count, 1))
        return torch.stack(found)
