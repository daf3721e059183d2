"""Fusion by concatenation: the usual joint model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, MeanEncoding, Presence
from equimodal.models.initial import draw_blocks


@FUSIONS.register("concat")
class Concat(Fusion):
    """Logits `W [h_1 .. h_n] + b` of the concatenated encodings.

    Args:
        absent: what replaces an absent encoding: "mean" (of the training encodings), "zeros" or "learned" (a vector
            that is trained wherever the modality is absent in training).

    Example:
        >>> fusion = Concat(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    absence = "the mean training encoding takes its place (options: zeros, a learned vector)"

    def __init__(self, modalities: Sequence[str], width: int, classes: int, absent: str = "mean") -> None:
        super().__init__(modalities, width, classes, absent=absent)
        self.substitute = MeanEncoding(self.modalities, width, absent)
        self.head = draw_blocks(nn.Linear(width * len(self.modalities), classes), self.modalities)

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the concatenated encodings: (B, n D)."""
        return torch.cat(self.substitute(encodings, present), dim=1)

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.head(self.representation(encodings, present))
