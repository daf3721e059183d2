"""Encoders for sequences of feature vectors with lengths: temporal convolution and GRU."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.known import known
from equimodal.models.encoders.base import ENCODERS, Encoder
from equimodal.models.encoders.standardise import Standardise


def step_mask(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return (B, T, 1): 1 at the valid steps of `x` (B, T, ...), 0 in the padding."""
    if lengths is None:
        return known(torch.ones(*x.shape[:2], 1, dtype=x.dtype), x.device)
    steps = known(torch.arange(x.shape[1]), x.device)
    return (steps < lengths[:, None]).to(x.dtype).unsqueeze(-1)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `x` (B, T, D) over the valid steps, (B, D)."""
    return (x * mask).sum(1) / mask.sum(1).clamp(min=1)


@ENCODERS.register("conv1d")
class Conv1d(Encoder):
    """Strided temporal convolutions, then mean and maximum over the valid steps.

    Each layer halves the time axis. Normalisation is over the channels of one step and padding is zeroed after
    every layer, so that an encoding does not depend on how far the batch was padded.

    Shapes: (B, T, features), lengths (B,) to (B, width).

    Args:
        features: channels of one step.
        width: size of the encoding.
        hidden: channels of the convolutions.
        layers: number of convolutions.
        kernel: steps each convolution sees (odd).
        dropout: probability of dropping a pooled channel while training.

    Example:
        >>> Conv1d(features=3, width=8)(torch.zeros(2, 50, 3), torch.tensor([50, 7])).shape
        torch.Size([2, 8])
    """

    kinds = ("sequence",)

    def __init__(
        self,
        features: int,
        width: int = 64,
        hidden: int = 64,
        layers: int = 3,
        kernel: int = 5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(features=features, width=width, hidden=hidden, layers=layers, kernel=kernel, dropout=dropout)
        self.standardise = Standardise(features)
        sizes = [features, *[hidden] * layers]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride=2, padding=kernel // 2)
            for before, after in itertools.pairwise(sizes)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * hidden, width)

    def fit_inputs(self, chunks: Iterable[np.ndarray]) -> None:
        """Learn each channel's mean and deviation over the valid steps."""
        self.standardise.fit(chunks)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        x = self.standardise(x)
        mask = step_mask(x, lengths)
        x = x * mask
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = norm(convolution(x.transpose(1, 2)).transpose(1, 2))
            if lengths is not None:
                lengths = (lengths + 1) // 2
            mask = step_mask(x, lengths)
            x = nn.functional.gelu(x) * mask
        # The gradient of `max` goes to a place that is remembered, that of `amax` to all values that equal the maximum:
        # compiled, these are worked out anew in the backward pass, and with other rounding none is equal (0 / 0).
        highest = x.masked_fill(mask == 0, -torch.inf).max(1).values
        return self.project(self.dropout(torch.cat([masked_mean(x, mask), highest], dim=1)))


@ENCODERS.register("gru")
class GRU(Encoder):
    """A gated recurrent unit read forwards; its last valid state beside its mean over the valid steps.

    Shapes: (B, T, features), lengths (B,) to (B, width).

    Args:
        features: channels of one step.
        width: size of the encoding.
        hidden: size of the state.
        layers: stacked units.
        dropout: probability of dropping a pooled channel while training.

    Example:
        >>> GRU(features=3, width=8)(torch.zeros(2, 50, 3), torch.tensor([50, 7])).shape
        torch.Size([2, 8])
    """

    kinds = ("sequence",)

    def __init__(self, features: int, width: int = 64, hidden: int = 64, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__(features=features, width=width, hidden=hidden, layers=layers, dropout=dropout)
        self.standardise = Standardise(features)
        self.gru = nn.GRU(features, hidden, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * hidden, width)

    def fit_inputs(self, chunks: Iterable[np.ndarray]) -> None:
        """Learn each channel's mean and deviation over the valid steps."""
        self.standardise.fit(chunks)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        x = self.standardise(x)
        states, _ = self.gru(x)  # causal, so that padding after the end changes no valid state
        if lengths is None:
            last = states[:, -1]
        else:
            last = states[torch.arange(len(x), device=x.device), lengths.clamp(min=1) - 1]
        pooled = torch.cat([last, masked_mean(states, step_mask(states, lengths))], dim=1)
        return self.project(self.dropout(pooled))
