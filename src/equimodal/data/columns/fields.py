"""Several arrays per row, by name: what a tokeniser returns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.base import Column, Kind, Selection, Spec, checksum_of


class FieldsColumn(Column):
    """Rows that hold several arrays by name.

    Args:
        arrays: numbers (N, ...) by name, each with N rows.
        kind: what a row is.

    Example:
        >>> column = FieldsColumn({"ids": np.ones((3, 5), int), "mask": np.ones((3, 5), bool)})
        >>> column.take(np.array([0, 2]))["ids"].shape
        (2, 5)
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], kind: Kind = "tensor") -> None:
        self.kind: Kind = kind
        self.columns = {name: ArrayColumn(array, "tensor") for name, array in arrays.items()}

    @property
    def spec(self) -> Spec:
        """What each array's rows are."""
        return Spec(self.kind, (), np.dtype("V"), {name: column.spec for name, column in self.columns.items()})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: Selection) -> dict[str, np.ndarray]:
        """Return each array's rows by name."""
        return {name: column.take(rows) for name, column in self.columns.items()}

    def fingerprint(self) -> str:
        """Return a checksum of names and arrays."""
        return checksum_of(f"{name} {column.fingerprint()}\n" for name, column in self.columns.items())

    def sizes(self) -> int:
        """Return how many values a row has in all arrays."""
        return sum(column.spec.size for column in self.columns.values())
