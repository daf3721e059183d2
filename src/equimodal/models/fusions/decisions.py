"""Fusions in which each modality decides by itself first, through a head of its own or one that all share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import Encodings, Fusion, Presence
from equimodal.models.initial import for_each

HEADS = ("own", "shared")


class DecisionFusion(Fusion):
    """Base of fusions with a linear head on each modality's encoding.

    Args:
        modalities: names.
        width: size of the encodings.
        classes: number of classes.
        heads: "own", one head per modality, or "shared", one for all.
        options: the subclass's own arguments.
    """

    def __init__(self, modalities: Sequence[str], width: int, classes: int, *, heads: str, **options: Any) -> None:
        super().__init__(modalities, width, classes, heads=heads, **options)
        self.heads = for_each(self.modalities if heads == "own" else ("shared",), lambda _: nn.Linear(width, classes))
        self.shared = heads == "shared"

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's head, unless one head serves all."""
        return [] if self.shared else [self.heads[modality]]

    def head(self, modality: str) -> nn.Linear:
        """Return the head that reads a modality's encodings."""
        return cast(nn.Linear, self.heads["shared" if self.shared else modality])

    def decisions(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return each modality's logits (n, B, C); rows that lack the modality mean nothing."""
        each = []
        for name in self.modalities:
            if present[name].any():
                each.append(self.head(name)(encodings[name]))
            else:  # no gradient, where one of zeros would let weight decay and momentum move the head
                each.append(encodings[name].new_zeros(len(encodings[name]), self.classes))
        return torch.stack(each)
