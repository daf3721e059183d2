"""The frozen part of a pretrained encoder, as the cache of features takes it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from equimodal.data.columns.base import Column, Selection, Spec, Values


class HasFeatures(Protocol):
    """An encoder with a frozen model."""

    def base_identity(self) -> dict[str, Any]:
        """Return what decides the features."""
        ...

    @property
    def keeps_tokens(self) -> bool:
        """Whether features are one vector a token."""
        ...

    @property
    def size(self) -> int:
        """Size of a vector."""
        ...

    def features_of_rows(self, rows: list[Any]) -> list[Tensor]:
        """Return the features of stored rows, (size,) or (tokens, size) each."""
        ...


class FrozenFeatures:
    """What a frozen model returns for stored rows: see `equimodal.features.part.FrozenPart`.

    Args:
        encoder: with the model.
    """

    def __init__(self, encoder: HasFeatures) -> None:
        self.encoder = encoder

    def identity(self) -> dict[str, Any]:
        """Return weights, preprocessing, precision and pooling."""
        return self.encoder.base_identity()

    def features_of(self, column: Column) -> Spec:
        """Return (size,), or (None, size) for one vector a token."""
        shape = (None, self.encoder.size) if self.encoder.keeps_tokens else (self.encoder.size,)
        return Spec("tensor", shape, np.dtype(np.float32))

    def encode(self, column: Column, rows: Selection) -> Values:
        """Return features of the rows asked for."""
        found = [value.cpu().numpy() for value in self.encoder.features_of_rows(list(column.take(rows)))]
        return found if self.encoder.keeps_tokens else np.stack(found)
