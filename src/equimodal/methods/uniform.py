"""Uniform losses: joint training with a loss for each modality beside the fused one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import nn

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Loss, Method, MethodConfig, Outcome, Update, cross_entropy


class UniformConfig(MethodConfig):
    """Options of uniform losses.

    Args:
        weight: weight of each modality's loss beside the fused loss.
    """

    weight: float = Field(default=1.0, ge=0)


@METHODS.register("uniform")
class Uniform(Method):
    r"""Joint training with a loss for each modality beside the fused one.

    Minimise :math:`CE(z) + w \sum_m CE(z_m)`, with a linear head for each modality that is dropped afterwards.
    Often the strongest simple baseline.

    Source: common practice; the equal weights that Gradient-Blending (Wang et al., CVPR 2020, arXiv 1905.12681) is held
    against.
    """

    Config = UniformConfig
    fusions = ("concat", "sum", "gated", "late")

    def __init__(self, model: Any, config: UniformConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.weight = config.weight
        self.heads = nn.ModuleDict({name: nn.Linear(model.width, len(model.classes)) for name in model.modalities})

    def own_parameters(self, modality: str) -> list[nn.Parameter]:
        """Return the modality's auxiliary head."""
        return list(self.heads[modality].parameters())

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss and every modality's."""
        encodings = self.model.encode(batch)
        anything = torch.stack(list(batch.present.values())).any(0)
        losses: dict[str, Loss] = {
            "fused": cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, anything)
        }
        for name, head in self.heads.items():
            total, count = cross_entropy(head(encodings[name]), batch.labels, batch.present[name])
            losses[f"{name} alone"] = (self.weight * total, count)
        yield Update(losses, batch.modalities)
