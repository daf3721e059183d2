"""Fusion by summing encodings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS, Encodings, OneHead, Presence


@FUSIONS.register("sum")
class Sum(OneHead):
    """Logits `W (h_1 + .. + h_n) + b`; over the modalities present only, scaled up to n of them.

    Example:
        >>> fusion = Sum(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    absence = "left out of the sum, which is scaled by n over the number present"

    def __init__(self, modalities: Sequence[str], width: int, classes: int) -> None:
        super().__init__(modalities, width, classes)
        self.head = nn.Linear(width, classes)

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the scaled sum of the encodings: (B, D)."""
        mask = self.stacked(present).unsqueeze(-1)  # (n, B, 1)
        stacked = torch.stack([encodings[name] for name in self.modalities])
        scale = len(self.modalities) / mask.sum(0).clamp(min=1)
        return (stacked * mask).sum(0) * scale
