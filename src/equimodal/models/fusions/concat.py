"""Fusion by concatenation: the usual joint model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.filling import FillingFusion
from equimodal.models.initial import draw_blocks


@FUSIONS.register("concat")
class Concat(FillingFusion):
    """Logits `W [h_1 .. h_n] + b` of the concatenated encodings.

    Args:
        absent: what takes the place of an absent encoding: "mean", "zeros", "learned", "knn", "iterative" or "mapped",
            see `equimodal.models.fusions.filling.FillingFusion`.
        neighbours: training rows that "knn" takes the mean of.

    Example:
        >>> fusion = Concat(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    def __init__(
        self, modalities: Sequence[str], width: int, classes: int, absent: str = "mean", neighbours: int = 5
    ) -> None:
        super().__init__(modalities, width, classes, absent=absent, neighbours=neighbours)
        self.head = draw_blocks(nn.Linear(width * len(self.modalities), classes), self.modalities)

    def read(self, filled: list[Tensor]) -> Tensor:
        """Return the concatenated encodings (B, n width)."""
        return torch.cat(filled, dim=1)
