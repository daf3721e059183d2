"""Rows of one shape: an array in memory, or a memory map."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from equimodal.data.columns.base import Column, Kind, Selection, Spec, checksum_of


class ArrayColumn(Column):
    """The rows of an array (N, ...). Of a memory map only the rows asked for are read.

    Args:
        array: numbers (N, ...).
        kind: what a row is.

    Example:
        >>> column = ArrayColumn(np.arange(6.0).reshape(3, 2), "vector")
        >>> str(column.spec), column.take(np.array([2, 0])).tolist()
        ('vector (2,)', [[4.0, 5.0], [0.0, 1.0]])
    """

    def __init__(self, array: np.ndarray, kind: Kind) -> None:
        self.array = array
        self.kind: Kind = kind

    @property
    def spec(self) -> Spec:
        """What the array's rows are."""
        return Spec(self.kind, self.array.shape[1:], self.array.dtype)

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: Selection) -> np.ndarray:
        """Return rows (n, ...); consecutive ones as a view."""
        return self.array[rows]

    def fingerprint(self) -> str:
        """Return a checksum of type, shape and values."""
        return checksum_of(self._content())

    def _content(self) -> Iterator[str | bytes]:
        yield f"{self.kind} {self.array.dtype.str} {self.array.shape}\n"
        for rows in self.ranges():
            yield np.ascontiguousarray(self.array[rows]).tobytes()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "array": _by_path(self.array)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        array = state["array"]
        self.array = np.memmap(**array) if isinstance(array, dict) else array
        self.kind = state["kind"]


def _by_path(array: np.ndarray) -> np.ndarray | dict[str, Any]:
    """Return where a read-only memory map lies, so that another process opens it instead of receiving its content."""
    if not isinstance(array, np.memmap) or not isinstance(array.base, mmap.mmap) or array.mode != "r":
        return array
    order = "C" if array.flags.c_contiguous else "F"
    return {
        "filename": array.filename,
        "dtype": array.dtype,
        "mode": "r",
        "offset": array.offset,
        "shape": array.shape,
        "order": order,
    }
