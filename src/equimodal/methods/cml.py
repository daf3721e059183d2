"""Calibrating multimodal learning: confidence must not rise when a modality is taken away."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Loss, Method, MethodConfig, Outcome, Update, cross_entropy


class CMLConfig(MethodConfig):
    """Options of calibrating multimodal learning.

    Args:
        weight: weight of each modality's regulariser beside the fused loss (the paper's lambda; the default is ours).
    """

    weight: float = Field(default=1.0, ge=0)


def confidence(logits: Tensor) -> Tensor:
    """Return the largest class probability: (..., C) -> (...).

    Example:
        >>> round(float(confidence(torch.tensor([8.0, 1.0, 1.0]).log())), 4)
        0.8
    """
    return logits.float().softmax(-1).amax(-1)


@METHODS.register("cml")
class CML(Method):
    r"""Joint training, with a penalty where confidence rises when a modality is taken away.

    $$
    CE(z) + \lambda \sum_m \overline{\max(0,\, \mathrm{conf}(z_{-m}) - \mathrm{conf}(z))},
    \qquad \mathrm{conf}(z) = \max_c \mathrm{softmax}(z)_c
    $$

    with $z_{-m}$ the logits of the same encodings without modality m. Both confidences have a gradient. The
    mean is over the samples that have m and something else besides.

    The paper asks this of all pairs of coalitions T within S, and samples pairs; here S is all modalities and T
    leaves out one, each in every batch (ours). Without m the fusion sees an absent modality. A sample's only
    modality is not taken away (ours): what would answer then is the training prior, not the model.

    Source: Ma et al., 2023, "Calibrating Multimodal Learning", ICML, arXiv 2306.01265.
    """

    Config = CMLConfig
    fusions = LOGIT_FUSIONS
    config: CMLConfig

    def __init__(self, model: Any, config: CMLConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        n = len(model.modalities)
        everyone_then_without_each = torch.cat([torch.ones(1, n, dtype=torch.bool), ~torch.eye(n, dtype=torch.bool)])
        self.coalitions = everyone_then_without_each  # not a buffer: the host reads it

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss, and for each modality how far confidence rises without it."""
        table = self.model.coalitions(self.model.encode(batch), batch.present, self.coalitions)  # (1 + n, B, C)
        present = torch.stack([batch.present[name] for name in self.model.modalities])
        losses: dict[str, Loss] = {"fused": cross_entropy(table[0], batch.labels, present.any(0))}
        before, *after = confidence(table)
        several = present.sum(0) >= 2
        for name, here, without in zip(self.model.modalities, present, after, strict=True):
            rows = here & several
            rise = torch.where(rows, (without - before).clamp(min=0), 0.0)
            losses[f"without {name}"] = (self.config.weight * rise.sum(), rows.sum())
        yield Update(losses, self.model.modalities)
