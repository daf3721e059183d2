"""Modality dropout: joint training in which modalities are hidden at random."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.known import known
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Method, MethodConfig, Outcome, Update, cross_entropy


class ModalityDropoutConfig(MethodConfig):
    """Options of modality dropout.

    Args:
        p: probability that a sample's modality is hidden.
    """

    p: float = Field(default=0.2, ge=0, lt=1)


def drop_modalities(present: Tensor, p: float) -> Tensor:
    """Return the presence (n, B) with each entry hidden with probability `p`, and at least one kept per sample.

    Example:
        >>> kept = drop_modalities(torch.ones(3, 100, dtype=torch.bool), p=0.9)
        >>> bool(kept.any(0).all())
        True
    """
    draw = known(torch.rand(present.shape), present.device)
    kept = present & (draw >= p)
    luckiest = draw.masked_fill(~present, -1.0).argmax(0)
    rescued = torch.zeros_like(present).scatter_(0, luckiest.unsqueeze(0), True) & present
    return torch.where(kept.any(0), kept, rescued)


@METHODS.register("modality_dropout")
class ModalityDropout(Method):
    """Joint training in which each modality of a sample is hidden with probability p, and at least one is kept.

    Source: Neverova et al., 2016, "ModDrop: adaptive multi-modal gesture recognition", arXiv 1501.00102.
    """

    Config = ModalityDropoutConfig
    fusions = LOGIT_FUSIONS

    def __init__(self, model: Any, config: ModalityDropoutConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.p = config.p

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss of what was kept."""
        names = self.model.modalities
        kept = drop_modalities(torch.stack([batch.present[name] for name in names]), self.p)
        batch = replace(batch, present=dict(zip(names, kept, strict=True)))
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels, kept.any(0))}, names)
