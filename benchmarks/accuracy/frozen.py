"""What encoders with frozen weights of their own share: a vector a row, kept by the cache, and a map to the width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equimodal.features.part import FEATURES, FrozenPart
from equimodal.models.encoders.base import Encoder
from equimodal.models.pretrained.part import FrozenFeatures
from equimodal.models.state import checksum, named_tensors


class Frozen(Encoder):
    """Base: a subclass sets `base` and `source`, and returns the vectors of rows.

    Rows are encoded one at a time, so that the same bits come out in any batch, and with a cache as without. A run
    names the weights, and loads them from their file again.

    Args:
        size: of a vector.
        width: size of the encoding.
        options: further arguments of the constructor.
    """

    base: nn.Module
    keeps_tokens = False

    def __init__(self, size: int, width: int, **options: Any) -> None:
        super().__init__(width=width, **options)
        self.size = size
        self.norm = nn.LayerNorm(size)
        self.project = nn.Linear(size, width)

    @property
    def names_base(self) -> bool:
        """Whether a run names the weights: always."""
        return True

    def frozen_part(self) -> FrozenPart:
        """Return what the cache keeps."""
        return FrozenFeatures(self)

    def base_identity(self) -> dict[str, Any]:
        """Return what decides the vectors: weights, and everything that subclasses add."""
        return {"name": type(self).__name__, "weights": checksum(named_tensors(self.base))}

    def features_of_rows(self, rows: list[Any]) -> list[Tensor]:
        """Return the vector (size,) of each stored row."""
        raise NotImplementedError

    def features_of_batch(self, x: Any, lengths: Tensor | None) -> list[Tensor]:
        """Return the vector of each row of a batch, without padding."""
        if lengths is not None:
            x = [row[:steps] for row, steps in zip(x, lengths, strict=True)]
        return self.features_of_rows(list(x))

    def forward(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width) of a batch, or of features that were kept."""
        kept = isinstance(x, dict) and FEATURES in x
        return self.project(self.norm(x[FEATURES] if kept else torch.stack(self.features_of_batch(x, lengths))))
