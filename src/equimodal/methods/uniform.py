"""Uniform losses: joint training with a loss for each modality beside the fused one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pydantic import Field

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, MethodConfig, Outcome, Update
from equimodal.methods.heads import WithHeads


class UniformConfig(MethodConfig):
    """Options of uniform losses.

    Args:
        weight: weight of each modality's loss beside the fused loss.
    """

    weight: float = Field(default=1.0, ge=0)


@METHODS.register("uniform")
class Uniform(WithHeads):
    r"""Joint training with a loss for each modality beside the fused one.

    Minimise $CE(z) + w \sum_m CE(z_m)$, with a linear head for each modality that is dropped afterwards.
    Often the strongest simple baseline.

    Source: common practice; the equal weights that Gradient-Blending (Wang et al., CVPR 2020, arXiv 1905.12681) is held
    against.
    """

    Config = UniformConfig

    def __init__(self, model: Any, config: UniformConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.weight = config.weight

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss and every modality's."""
        losses = self.losses_of(batch)
        for name in self.heads:
            total, count = losses[f"{name} alone"]
            losses[f"{name} alone"] = (self.weight * total, count)
        yield Update(losses, batch.modalities)
