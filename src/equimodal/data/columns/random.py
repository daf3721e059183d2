"""Rows that are random numbers, or another column's with random numbers added: drawn when they are read."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from equimodal.data.columns.base import Column, Selection, Spec, Values, checksum_of


def normal_rows(seed: int, row: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the standard normal numbers of one row, float64.

    They depend on seed and row number alone, so that a row is the same in whatever batch it is read.
    """
    return np.random.default_rng([seed, row]).standard_normal(shape)


class NormalColumn(Column):
    """Vectors of standard normal numbers.

    Args:
        count: number of rows.
        size: numbers of a row.
        seed: of all rows.

    Example:
        >>> column = NormalColumn(count=10, size=4, seed=0)
        >>> whole = column.take(slice(0, 10))
        >>> whole.shape, np.array_equal(whole[[7, 2]], column.take(np.array([7, 2])))
        ((10, 4), True)
    """

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count, self.size, self.seed = count, size, seed

    @property
    def spec(self) -> Spec:
        """Vectors."""
        return Spec("vector", (self.size,), np.dtype(np.float32))

    def __len__(self) -> int:
        return self.count

    def take(self, rows: Selection) -> np.ndarray:
        """Return the rows (n, size)."""
        numbers = np.arange(self.count)[rows].tolist()
        drawn = [normal_rows(self.seed, row, (self.size,)) for row in numbers]
        return np.array(drawn, np.float32).reshape(len(numbers), self.size)

    def fingerprint(self) -> str:
        """Return a checksum of what the rows follow from."""
        return checksum_of([f"normal {self.count} {self.size} {self.seed}"])


class NoisyColumn(Column):
    """The rows of another column with Gaussian noise added. They are floats, whatever they were.

    Args:
        source: the column: numbers, not several arrays by name.
        deviation: standard deviation of the noise.
        seed: of all rows.

    Example:
        >>> from equimodal.data.columns.array import ArrayColumn
        >>> pictures = ArrayColumn(np.full((3, 99, 99), 100, np.uint8), "image")
        >>> noisy = NoisyColumn(pictures, deviation=10.0, seed=0)
        >>> str(noisy.spec), noisy.spec.dtype.name, round(float(noisy.take(slice(0, 1)).std()))
        ('image (99, 99)', 'float32', 10)
    """

    def __init__(self, source: Column, deviation: float, seed: int) -> None:
        self.source, self.deviation, self.seed = source, deviation, seed

    @property
    def spec(self) -> Spec:
        """What the source's rows are, as floats that hold their values: float32, or float64 for large integers."""
        spec = self.source.spec
        return replace(spec, dtype=np.result_type(spec.dtype, np.float32))

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Selection) -> Values:
        """Return the source's rows with the noise of each added."""
        values, dtype = self.source.take(rows), self.spec.dtype
        numbers = np.arange(len(self))[rows].tolist()
        if isinstance(values, list):
            return [self._noisy(row, number).astype(dtype) for row, number in zip(values, numbers, strict=True)]
        values = cast(np.ndarray, values)
        noisy = np.empty(values.shape, dtype)
        for place, number in enumerate(numbers):
            noisy[place] = self._noisy(values[place], number)
        return noisy

    def _noisy(self, row: np.ndarray, number: int) -> np.ndarray:
        return row + self.deviation * normal_rows(self.seed, number, row.shape)

    def fingerprint(self) -> str:
        """Return a checksum of the source's content and of what the noise follows from."""
        return checksum_of([self.source.fingerprint(), f"noise {self.deviation!r} {self.seed}"])

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has."""
        return self.source.sizes()
