"""A vector that takes the place of an absent encoding, whatever else a sample has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

VECTORS = ("mean", "zeros", "learned")
"""What a `StandIn` can be."""


class StandIn(nn.Module):
    """Replace absent encodings by the running mean of the present ones (momentum .1, as batch norms have), or else.

    Args:
        modalities: names.
        width: size of the encodings.
        vector: "mean"; "zeros"; or "learned", a vector for each modality that begins at 0 and is trained wherever
            that modality is absent in training (in data that lack entries, or with modality dropout).

    Example:
        >>> here, there = torch.tensor([True, True]), torch.tensor([True, False])
        >>> StandIn(["a", "b"], width=1)({"a": torch.ones(2, 1), "b": torch.full((2, 1), 3.0)}, {"a": here, "b": there})
        [tensor([[1.],
                [1.]]), tensor([[3.],
                [3.]])]
    """

    fits_on_training: ClassVar[bool] = False
    """Whether `fit` is to be called with the encodings of training rows, after each epoch."""

    mean: Tensor
    seen: Tensor

    def __init__(self, modalities: Sequence[str], width: int, vector: str = "mean") -> None:
        super().__init__()
        self.vector = vector
        self.modalities = tuple(modalities)
        if vector == "learned":
            self.learned = nn.Parameter(torch.zeros(len(self.modalities), width))
        self.register_buffer("mean", torch.zeros(len(self.modalities), width))
        self.register_buffer("seen", torch.zeros(len(self.modalities), dtype=torch.bool))

    def fit(self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
        """Learn from the encodings (N, width) of training rows; a vector is not fitted."""

    def forward(self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the encodings (B, width) in order, absent rows replaced."""
        self.track(encodings, present)
        return self.fill(encodings, present)

    @torch.no_grad()
    def track(self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
        """Let the running means follow a batch, in training."""
        if not self.training or self.vector != "mean":
            return
        for i, name in enumerate(self.modalities):
            if present[name].any():
                mean = encodings[name][present[name]].mean(0)
                step = torch.where(self.seen[i], 0.1, 1.0)
                self.mean[i] += step * (mean - self.mean[i])
                self.seen[i] = True

    def fill(self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the encodings (B, width) in order, absent rows replaced; nothing is learnt from them."""
        if self.vector == "zeros":
            return [encodings[name] * present[name].unsqueeze(-1) for name in self.modalities]
        instead = self.learned if self.vector == "learned" else self.mean
        return [
            torch.where(present[name].unsqueeze(-1), encodings[name], instead[i].to(encodings[name].dtype))
            for i, name in enumerate(self.modalities)
        ]
