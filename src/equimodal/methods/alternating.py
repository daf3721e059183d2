"""Plain alternating training: one shared head, modalities in turn."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, cast

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.models.fusions.late import Late


class AlternatingConfig(MethodConfig):
    """Options of alternating training.

    Args:
        pool: how the modalities' decisions are pooled: "equal", or "fitted" on validation.
    """

    pool: Literal["equal", "fitted"] = "equal"


@METHODS.register("alternating")
class Alternating(Method):
    """Plain alternating training: one shared head, modalities in turn.

    For each modality in the declared order: its loss through the head, one step.
    Inference averages the logits of the modalities present, or pools them by fitted weights. The method of this library
    builds on it.

    Source: Zhang et al., 2024, "Multimodal Representation Learning by Alternating Unimodal Adaptation", CVPR, arXiv
    2311.10707 (MLA), without the projection of the head's gradient and with equal weights.
    """

    Config = AlternatingConfig
    fusions = ("late",)

    @classmethod
    def fusion_options(cls, config: Any) -> dict[str, Any]:
        """Return late fusion's options: one head for all, logits pooled as configured."""
        return {"heads": "shared", "average": "logits", "pool": config.pool}

    @property
    def order(self) -> tuple[str, ...]:
        """The declared order."""
        return self.model.modalities

    @property
    def fusion(self) -> Late:
        """The model's fusion."""
        return cast(Late, self.model.fusion)

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update per modality."""
        for name in self.order:
            logits = self.fusion.head(name)(self.model.encode_one(batch, name))
            yield Update({name: cross_entropy(logits, batch.labels, batch.present[name])}, (name,))
