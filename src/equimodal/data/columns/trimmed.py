"""Padded rows without their padding."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from equimodal.data.columns.base import Column, Rectangle, Selection, Spec, checksum_of


class TrimmedColumn(Column):
    """The rows of another column, each cut to its valid time steps.

    Args:
        source: the column; its rows have a time axis, not several arrays by name.
        lengths: valid time steps of each row, int64 (N,).

    Example:
        >>> from equimodal.data.columns.array import ArrayColumn
        >>> column = TrimmedColumn(ArrayColumn(np.ones((2, 4, 3)), "sequence"), np.array([4, 1]))
        >>> str(column.spec), [row.shape for row in column.take(slice(0, 2))]
        ('sequence (T, 3)', [(4, 3), (1, 3)])
    """

    def __init__(self, source: Column, lengths: np.ndarray) -> None:
        self.source, self.lengths = source, lengths

    @property
    def spec(self) -> Spec:
        """What the source's rows are; their first axis varies."""
        spec = self.source.spec
        return replace(spec, shape=(None, *spec.shape[1:]))

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Selection) -> list[np.ndarray]:
        """Return the rows asked for, each an array (T_i, ...)."""
        read = cast(Rectangle, self.source.take(rows))
        return [row[:steps] for row, steps in zip(read, self.lengths[rows].tolist(), strict=True)]

    def fingerprint(self) -> str:
        """Return a checksum of the source's content and of the lengths."""
        return checksum_of([self.source.fingerprint(), self.lengths.astype(np.int64).tobytes()])

    def sizes(self) -> int | np.ndarray:
        """Return how many values of a row are read, padding included."""
        return self.source.sizes()
