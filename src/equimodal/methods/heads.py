"""What methods share that give each modality a linear head for training: the heads, and the losses through them."""

from __future__ import annotations

from typing import Any

from torch import nn

from equimodal.batch import Batch
from equimodal.methods.base import LOGIT_FUSIONS, Loss, Method, MethodConfig, cross_entropy
from equimodal.models.initial import for_each


class WithHeads(Method):
    """Base of methods with an auxiliary head for each modality, which belongs to it and is dropped afterwards."""

    fusions = LOGIT_FUSIONS

    def __init__(self, model: Any, config: MethodConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.heads = for_each(model.modalities, lambda _: nn.Linear(model.width, len(model.classes)))

    def own_parameters(self, modality: str) -> list[nn.Parameter]:
        """Return the modality's auxiliary head."""
        return list(self.heads[modality].parameters())

    def losses_of(self, batch: Batch) -> dict[str, Loss]:
        """Return the fused loss ("fused") and that of each modality's head ("NAME alone")."""
        encodings = self.model.encode(batch)
        losses: dict[str, Loss] = {
            "fused": cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        }
        for name, head in self.heads.items():
            losses[f"{name} alone"] = cross_entropy(head(encodings[name]), batch.labels, batch.present[name])
        return losses
