"""A multilayer perceptron for vectors of features."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS, Encoder
from equimodal.models.encoders.standardise import Standardise


@ENCODERS.register("mlp")
class MLP(Encoder):
    """Standardisation, then `layers` hidden layers with GELU and dropout, then a linear map.

    Shapes: (B, features) to (B, width).

    Args:
        features: number of columns.
        width: size of the encoding.
        hidden: units of each hidden layer.
        layers: number of hidden layers.
        dropout: probability of dropping a hidden unit while training.

    Example:
        >>> import torch
        >>> MLP(features=5, width=8)(torch.zeros(3, 5)).shape
        torch.Size([3, 8])
    """

    kinds = ("vector",)

    def __init__(
        self, features: int, width: int = 64, hidden: int = 128, layers: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__(features=features, width=width, hidden=hidden, layers=layers, dropout=dropout)
        self.standardise = Standardise(features)
        sizes = [features, *[hidden] * layers]
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            blocks += [nn.Linear(before, after), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*blocks, nn.Linear(sizes[-1], width))

    def fit_inputs(self, chunks: Iterable[np.ndarray]) -> None:
        """Learn each column's mean and deviation."""
        self.standardise.fit(chunks)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        return self.layers(self.standardise(x))
