"""What a frozen part of an encoder is, as the cache sees it."""

from __future__ import annotations

from typing import Any, Protocol

from equimodal.data.columns.base import Column, Selection, Spec, Values

FEATURES = "features"
"""Name of the array under which an encoder gets rows that were computed before: its input is `{"features": ...}`."""

PLACE = "place"
"""Key of an identity under which it may say where its files are. Readers see it; it is no part of the cache's key."""


class FrozenPart(Protocol):
    """The part of an encoder that no training moves: what it returns for a row can be computed once and kept.

    An encoder offers it by `Encoder.frozen_part`. Where its column was replaced by features, the encoder gets
    a mapping with the one name `FEATURES` as its input, and applies what comes after the frozen part.
    """

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the outputs, as JSON-safe values.

        Weights (source, revision, checksum), preprocessing, precision, and whether rows are tokens or pooled. The
        column's content is not part of it. A folder belongs under `PLACE`, and what it holds under a checksum: features
        are then found again where the folder was moved.
        """
        ...

    def features_of(self, column: Column) -> Spec:
        """Return what one row of features is: shape (width,) pooled, or (None, width) one vector a token."""
        ...

    def encode(self, column: Column, rows: Selection) -> Values:
        """Return the features of the rows asked for: an array (n, width), or a list of n arrays (tokens, width)."""
        ...
