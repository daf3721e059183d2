"""Joint training: one model, one loss."""

from __future__ import annotations

from collections.abc import Generator

from equimodal.batch import Batch
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Method, Outcome, Update, cross_entropy


@METHODS.register("joint")
class Joint(Method):
    """One model, one loss: minimise the cross entropy of the fused logits, all encoders at once.

    Source: common practice, the baseline of every paper on modality imbalance.
    """

    fusions = LOGIT_FUSIONS

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss."""
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels, batch.anything)}, batch.modalities)
