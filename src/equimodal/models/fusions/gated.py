"""Fusion by gates: each sample weighs its modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.filling import FillingFusion
from equimodal.models.initial import draw_blocks, for_each


@FUSIONS.register("gated")
class Gated(FillingFusion):
    r"""Gated multimodal unit for any number of modalities.

    $$
    g = \mathrm{softmax}(V [h_1 .. h_n]), \qquad z = W \sum_m g_m \tanh(A_m h_m) + b
    $$

    The softmax over modalities, where the original has one sigmoid for two, is ours.

    Args:
        absent: what takes the place of an absent encoding: "mean", "zeros", "learned", "knn", "iterative" or "mapped",
            see `equimodal.models.fusions.filling.FillingFusion`.
        neighbours: training rows that "knn" takes the mean of.

    Example:
        >>> fusion = Gated(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Arevalo et al., 2017, "Gated Multimodal Units for Information Fusion", arXiv 1702.01992.
    """

    def __init__(
        self, modalities: Sequence[str], width: int, classes: int, absent: str = "mean", neighbours: int = 5
    ) -> None:
        super().__init__(modalities, width, classes, absent=absent, neighbours=neighbours)
        self.values = nn.ModuleList(for_each(self.modalities, lambda _: nn.Linear(width, width)).values())
        n = len(self.modalities)
        self.gate = draw_blocks(nn.Linear(width * n, n), self.modalities, self.modalities)
        self.head = nn.Linear(width, classes)

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's value map."""
        return [self.values[self.modalities.index(modality)]]

    def read(self, filled: list[Tensor]) -> Tensor:
        """Return the gated sum (B, width)."""
        gates = self.gate(torch.cat(filled, dim=1)).softmax(dim=1)  # (B, n)
        values = torch.stack([torch.tanh(value(h)) for value, h in zip(self.values, filled, strict=True)], dim=1)
        return (gates.unsqueeze(-1) * values).sum(1)
