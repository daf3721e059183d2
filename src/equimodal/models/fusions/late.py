"""Late fusion: each modality decides by itself, and the decisions are pooled."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from equimodal.models.fusions.base import FUSIONS, Encodings, Presence, check_choices
from equimodal.models.fusions.decisions import HEADS, DecisionFusion
from equimodal.models.fusions.pool import POOLS, Pool


@FUSIONS.register("late")
class Late(DecisionFusion):
    r"""The pool, over the modalities present, of the logits of a linear head on each encoding.

    By `pool="entropy"` a sample's modalities count by how sure each is of itself:
    $w_m = e^{-H_m} / \sum_k e^{-H_k}$ over the modalities k present, with $H_m$ the entropy (in nats) of
    the class probabilities of m alone. By `pool="fitted"` they count by weights that are fitted on validation, see
    `equimodal.models.fusions.pool.Pool`.

    Args:
        heads: "own", one head per modality, or "shared", one for all.
        average: "logits", or "probabilities" (the result is then the log of the mean probability).
        pool: "equal", "entropy" (Zhang et al., CVPR 2024, arXiv 2311.10707), or "fitted".

    Example:
        >>> import torch
        >>> fusion = Late(["a", "b"], width=4, classes=3, heads="shared")
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    absence = "left out of the mean"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        heads: str = "own",
        average: str = "logits",
        pool: str = "equal",
    ) -> None:
        check_choices("late", heads=(heads, HEADS), average=(average, ("logits", "probabilities")), pool=(pool, POOLS))
        super().__init__(modalities, width, classes, heads=heads, average=average, pool=pool)
        self.pool = Pool(self.modalities, pool, average)

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.combine_decisions(self.decisions(encodings, present), self.stacked(present))

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C); each head runs once."""
        return self.combine_decisions(
            self.decisions(encodings, present), coalitions.unsqueeze(-1) & self.stacked(present)
        )

    def combine_decisions(self, each: Tensor, mask: Tensor) -> Tensor:
        """Combine the modalities' logits (n, B, C): (B, C) for a mask (n, B), (K, B, C) for (K, n, B).

        A new fusion of decisions overrides this method alone.
        """
        return self.pool(each, mask)

    def trust(self) -> dict[str, float] | None:
        """Return the weight of each modality in the fitted pool, of mean 1; None for another pool."""
        return self.pool.trust()
