"""Rows that differ in their first axis: all values in one array, and where each row begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.base import Column, Kind, Selection, Spec, checksum_of


class RaggedColumn(Column):
    """Rows (T_i, ...) of differing T_i, without padding.

    Args:
        values: the rows one after another (sum of T_i, ...); it may be a memory map.
        offsets: where each row begins, and the end: int64 (N + 1,), from 0, never falling.
        kind: what a row is.
        padded_to: steps that a batch is padded to at least, see `Spec`.

    Example:
        >>> column = RaggedColumn(np.arange(5), np.array([0, 2, 2, 5]), "text")
        >>> [row.tolist() for row in column.take(np.array([2, 1]))]
        [[2, 3, 4], []]
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray, kind: Kind, padded_to: int = 1) -> None:
        self.values, self.offsets = ArrayColumn(values, kind), offsets
        self.kind: Kind = kind
        self.padded_to = padded_to

    @classmethod
    def from_rows(cls, rows: Sequence[np.ndarray], kind: Kind, dtype: np.dtype | None = None) -> RaggedColumn:
        """Return the column of some arrays, at least one, that differ in their first axis only."""
        dtype = np.result_type(*{row.dtype for row in rows}) if dtype is None else dtype
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        values = np.empty((offsets[-1], *rows[0].shape[1:]), dtype)
        for row, start in zip(rows, offsets[:-1], strict=True):
            values[start : start + len(row)] = row
        return cls(values, offsets, kind)

    @property
    def spec(self) -> Spec:
        """What the rows are; their first axis varies."""
        values = self.values.spec
        return Spec(self.kind, (None, *values.shape), values.dtype, padded_to=self.padded_to)

    @property
    def steps(self) -> np.ndarray:
        """How long each row is, int64 (N,)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Selection) -> list[np.ndarray]:
        """Return the rows, each an array (T_i, ...)."""
        starts, stops = self.offsets[:-1][rows].tolist(), self.offsets[1:][rows].tolist()
        return [self.values.array[start:stop] for start, stop in zip(starts, stops, strict=True)]

    def fingerprint(self) -> str:
        """Return a checksum of values and offsets."""
        return checksum_of([self.values.fingerprint(), self.offsets.astype(np.int64).tobytes()])

    def sizes(self) -> np.ndarray:
        """Return how many values each row has; an empty one counts as one."""
        return np.maximum(self.steps, 1) * self.values.spec.size
