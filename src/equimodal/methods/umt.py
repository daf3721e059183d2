"""Uni-Modal Teacher: joint training with each encoder held near one that was trained alone."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.data.dataset import Dataset
from equimodal.methods.base import (
    LOGIT_FUSIONS,
    METHODS,
    Loss,
    Method,
    MethodConfig,
    Outcome,
    Phase,
    Update,
    cross_entropy,
)

ROWS_AT_A_TIME = 256


class UMTConfig(MethodConfig):
    """Options of the Uni-Modal Teacher.

    Args:
        weight: lambda, the weight of the distance between an encoding and its teacher's.
    """

    weight: float = Field(default=10.0, ge=0)


@METHODS.register("umt")
class UMT(Method):
    r"""Joint training with each encoder held near one that was trained alone.

    First each modality is trained by itself and keeps its best epoch: the teachers. Then, from the initial weights,

    $$
    L = CE(z) + \lambda \sum_m \tfrac{1}{d} \lVert h_m - h_m^\mathrm{teacher} \rVert^2
    $$

    on the rows that have m, d being the encodings' width. A teacher's encodings of the training rows are computed
    once, when its phase ends.

    Ours: the mean over the width, so that lambda means the same for every width. A teacher decides through the
    model's own fusion with the other modalities absent, so that its best epoch is chosen by the validation score of
    that modality alone.

    Source: Du, Teng, Li, Liu, Yuan, Wang, Yuan, Zhao, 2023, "On Uni-Modal Feature Learning in Supervised Multi-Modal
    Learning", ICML 2023, arXiv 2305.01233.
    """

    Config = UMTConfig
    fusions = LOGIT_FUSIONS
    teachers: Tensor

    def __init__(self, model: Any, config: UMTConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.weight = config.weight
        self.teacher: str | None = None  # the modality whose teacher is being trained

    def begin(self, train: Dataset) -> None:
        """Make room for the teachers' encodings of every training row."""
        shape = (len(self.model.modalities), len(train), self.model.width)
        self.register_buffer("teachers", torch.zeros(shape, device=self.model.device))

    def next_phase(self, finished: int, epochs: int) -> Phase | None:
        """Return a trial for each teacher, then the joint training."""
        names = self.model.modalities
        self.teacher = names[finished] if finished < len(names) else None
        if self.teacher is not None:
            return Phase(f"teacher of {self.teacher}", epochs, select=(self.teacher,), trial=True)
        return Phase("train", epochs) if finished == len(names) else None

    def passes(self) -> list[tuple[str, ...]]:
        """Return one pass: over the teacher's modality, or all."""
        return [self.model.modalities if self.teacher is None else (self.teacher,)]

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the teacher's loss, or the fused loss and every modality's distance."""
        if self.teacher is not None:
            logits = self.model(batch.restrict((self.teacher,)))
            loss = cross_entropy(logits, batch.labels, batch.present[self.teacher])
            yield Update({self.teacher: loss}, (self.teacher,))
            return
        encodings = self.model.encode(batch)
        losses: dict[str, Loss] = {
            "fused": cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        }
        for name, teacher in zip(self.model.modalities, self.teachers, strict=True):
            distance = (encodings[name].float() - teacher[batch.ids]).square().mean(1)
            present = batch.present[name]
            losses[f"{name} to teacher"] = (self.weight * torch.where(present, distance, 0.0).sum(), present.sum())
        yield Update(losses, batch.modalities)

    def on_phase_end(self, phase: Phase, train: Dataset) -> None:
        """Keep a teacher's encodings of the training rows."""
        if self.teacher is None:
            return
        kept = self.teachers[self.model.modalities.index(self.teacher)]
        for batch in train.batches(ROWS_AT_A_TIME):
            batch = batch.to(kept.device)
            kept[batch.ids] = self.model.encode_one(batch, self.teacher).float()
