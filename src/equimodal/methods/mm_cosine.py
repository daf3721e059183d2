"""MMCosine: joint training on cosines, so that no modality wins by the norm of its weights."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pydantic import Field

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Method, MethodConfig, Outcome, Update, cross_entropy


class MMCosineConfig(MethodConfig):
    """Options of MMCosine.

    Args:
        scale: what the cosines are multiplied by before the softmax.
    """

    scale: float = Field(default=10.0, gt=0)


@METHODS.register("mm_cosine")
class MMCosine(Method):
    r"""Joint training on the scaled sum of each modality's cosines with its class directions.

    Minimise $CE(z)$ with $z_c = s \sum_m \cos(W_{m,c}, h_m)$: encodings and weights are normalised for
    each modality by itself, so that the modality whose weights grow fastest does not take over the logits. All of it
    is in the fusion `cosine`, which also defines what happens to an absent modality (ours).

    Source: Xu et al., 2023, "MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual Fine-Grained Learning",
    ICASSP, arXiv 2303.05338.
    """

    Config = MMCosineConfig
    fusions = ("cosine",)

    @classmethod
    def fusion_options(cls, config: Any) -> dict[str, Any]:
        """Return the cosine fusion's scale."""
        return {"scale": config.scale}

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss."""
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels, batch.anything)}, self.model.modalities)
