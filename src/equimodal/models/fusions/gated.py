"""Fusion by gates: each sample weighs its modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, MeanEncoding, Presence
from equimodal.models.initial import draw_blocks, for_each


@FUSIONS.register("gated")
class Gated(Fusion):
    r"""Gated multimodal unit for any number of modalities.

    $$
    g = \mathrm{softmax}(V [h_1 .. h_n]), \qquad z = W \sum_m g_m \tanh(A_m h_m) + b
    $$

    The softmax over modalities, where the original has one sigmoid for two, is ours.

    Args:
        absent: what replaces an absent encoding: "mean" (of the training encodings), "zeros" or "learned" (a vector
            that is trained wherever the modality is absent in training).

    Example:
        >>> fusion = Gated(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Arevalo et al., 2017, "Gated Multimodal Units for Information Fusion", arXiv 1702.01992.
    """

    absence = "the mean training encoding takes its place (options: zeros, a learned vector)"

    def __init__(self, modalities: Sequence[str], width: int, classes: int, absent: str = "mean") -> None:
        super().__init__(modalities, width, classes, absent=absent)
        self.substitute = MeanEncoding(self.modalities, width, absent)
        self.values = nn.ModuleList(for_each(self.modalities, lambda _: nn.Linear(width, width)).values())
        n = len(self.modalities)
        self.gate = draw_blocks(nn.Linear(width * n, n), self.modalities, self.modalities)
        self.head = nn.Linear(width, classes)

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's value map."""
        return [self.values[self.modalities.index(modality)]]

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the gated sum: (B, D)."""
        filled = self.substitute(encodings, present)
        gates = self.gate(torch.cat(filled, dim=1)).softmax(dim=1)  # (B, n)
        values = torch.stack([torch.tanh(value(h)) for value, h in zip(self.values, filled, strict=True)], dim=1)
        return (gates.unsqueeze(-1) * values).sum(1)

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.head(self.representation(encodings, present))
