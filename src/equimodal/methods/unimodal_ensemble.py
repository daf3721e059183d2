"""The unimodal ensemble: each modality trained alone, probabilities averaged."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, cast

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Method, MethodConfig, Outcome, Phase, Update, cross_entropy
from equimodal.models.fusions.late import Late


class UnimodalEnsembleConfig(MethodConfig):
    """Options of the unimodal ensemble.

    Args:
        average: what is averaged over the modalities: "probabilities", or "logits".
        pool: how: "equal", or by weights "fitted" on validation.
    """

    average: Literal["probabilities", "logits"] = "probabilities"
    pool: Literal["equal", "fitted"] = "equal"


@METHODS.register("unimodal_ensemble")
class UnimodalEnsemble(Method):
    """Train each encoder with a head of its own, one after the other; fuse by mean probability, or by mean logit.

    Each modality has all epochs to itself and keeps its best epoch by its own validation score. What a modality
    reaches here is the reference of utilisation: what it can do alone.

    Source: Du et al., 2023, "On Uni-Modal Feature Learning in Supervised Multi-Modal Learning", ICML 2023, arXiv
    2305.01233 (there UME).
    """

    Config = UnimodalEnsembleConfig
    fusions = ("late",)

    @classmethod
    def fusion_options(cls, config: UnimodalEnsembleConfig) -> dict[str, Any]:
        """Return late fusion's options: own heads, and what is averaged how."""
        return {"heads": "own", "average": config.average, "pool": config.pool}

    def next_phase(self, finished: int, epochs: int) -> Phase | None:
        """Return one phase per modality."""
        if finished >= len(self.model.modalities):
            return None
        name = self.model.modalities[finished]
        self.visiting = (name,)
        return Phase(name, epochs, select=(name,))

    def passes(self) -> list[tuple[str, ...]]:
        """Return the one modality of this phase."""
        return [self.visiting]

    @property
    def fusion(self) -> Late:
        """The model's fusion."""
        return cast(Late, self.model.fusion)

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the loss of the phase's modality."""
        for name in self.visiting:
            logits = self.fusion.head(name)(self.model.encode_one(batch, name))
            yield Update({name: cross_entropy(logits, batch.labels, batch.present[name])}, (name,))
