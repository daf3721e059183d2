"""Frozen parts that are cheap, count what they encode, and need no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.base import Column, Selection, Spec, Values
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.features.cache import FeatureCache
from equimodal.features.filling import Filling


class Doubling:
    """Twice each row: what the features should be is known without the cache."""

    def __init__(self, revision: str = "a", **more: Any) -> None:
        self.revision, self.more = revision, more
        self.seen: list[int] = []
        self.before: Callable[[int], None] = lambda row: None

    def identity(self) -> dict[str, Any]:
        return {"name": "doubling", "revision": self.revision, **self.more}

    def features_of(self, column: Column) -> Spec:
        return Spec("tensor", column.spec.shape, np.dtype(np.float32))

    def encode(self, column: Column, rows: Selection) -> Values:
        numbers = np.arange(len(column))[rows].tolist()
        for number in numbers:
            self.before(number)
        self.seen += numbers
        values = column.take(rows)
        return [2 * row for row in values] if isinstance(values, list) else 2 * values


def vectors(count: int = 20, width: int = 3, seed: int = 0) -> ArrayColumn:
    return ArrayColumn(np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32), "vector")


def tokens(count: int = 20, width: int = 3, seed: int = 0) -> RaggedColumn:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(int(steps), width)).astype(np.float32) for steps in rng.integers(1, 6, count)]
    return RaggedColumn.from_rows(rows, "sequence")


def cache_at(folder: Path, rows: int = 4, **options: Any) -> FeatureCache:
    """Return a cache whose shards hold so many rows of three float32 (of vectors)."""
    return FeatureCache(folder, filling=lambda write: Filling(write, size=rows * 12, **options))


def values_of(column: Column, rows: Any) -> list[Any]:
    found = column.take(np.asarray(rows))
    assert isinstance(found, dict)
    return [np.asarray(row).tolist() for row in found["features"]]


def expected(column: Column, rows: Any) -> list[Any]:
    return [(2 * np.asarray(row)).tolist() for row in column.take(np.asarray(rows))]  # pyright: ignore
