"""Features as a column: read from memory maps when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.data.columns.base import Column, Kind, Rectangle, Selection, Spec
from equimodal.errors import DataError
from equimodal.features.part import FEATURES
from equimodal.features.shards import OFFSETS, VALUES


class FeaturesColumn(Column):
    """What a frozen encoder returned for the rows of a column. A row is the mapping `{FEATURES: array}`.

    Args:
        folder: of the features.
        shards: names of its shards.
        rows: the numbers of the rows in each shard.
        count: rows of the column; those in no shard cannot be taken.
        kind: what a row of the column was before.
        spec: what a row of features is.
        key: names encoder and column together.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[str],
        rows: Sequence[np.ndarray],
        *,
        count: int,
        kind: Kind,
        spec: Spec,
        key: str,
    ) -> None:
        self.folder, self.shards, self.key = folder, tuple(shards), key
        self.kind: Kind = kind
        self.features = replace(spec, kind="tensor")
        self.shard_of = np.full(count, -1, np.int32)
        self.place = np.zeros(count, np.int64)
        for number, held in enumerate(rows):
            self.shard_of[held] = number
            self.place[held] = np.arange(len(held))
        self._open()

    def _open(self) -> None:
        self._values: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []
        try:
            for name in self.shards:
                self._values.append(np.load(self.folder / f"{name}.{VALUES}", mmap_mode="r", allow_pickle=False))
                if self.ragged:
                    self._offsets.append(np.load(self.folder / f"{name}.{OFFSETS}", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.folder}: features were removed or changed while they were in use ({error}). Start again: they "
                "are then computed anew."
            ) from error

    @property
    def ragged(self) -> bool:
        """Whether a row is one vector a token."""
        return self.features.shape[0] is None

    @property
    def spec(self) -> Spec:
        """One array by name."""
        return Spec(self.kind, (), np.dtype("V"), {FEATURES: self.features})

    def __len__(self) -> int:
        return len(self.shard_of)

    def take(self, rows: Selection) -> dict[str, Rectangle]:
        """Return features: an array (n, width), or n arrays (tokens, width).

        Raises:
            DataError: a row was not asked for when the features were opened.
        """
        shards, places = self.shard_of[rows], self.place[rows]
        if (shards < 0).any():
            raise DataError(f"{self.folder}: some rows have no features: they were absent when the data were prepared.")
        if self.ragged:
            return {FEATURES: [self._tokens(*where) for where in zip(shards.tolist(), places.tolist(), strict=True)]}
        found = np.empty((len(shards), *self._width), self.features.dtype)
        for shard in np.unique(shards).tolist():
            here = shards == shard
            found[here] = self._values[shard][places[here]]
        return {FEATURES: found}

    def _tokens(self, shard: int, place: int) -> np.ndarray:
        start, stop = self._offsets[shard][place : place + 2].tolist()
        return np.asarray(self._values[shard][start:stop])

    @property
    def _width(self) -> list[int]:
        return [size or 1 for size in self.features.shape]

    def fingerprint(self) -> str:
        """Return the key, which names encoder and column, and so the content."""
        return self.key

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has; where that varies, one that is not there counts as one token."""
        if not self.ragged:
            return self.features.size
        tokens = np.ones(len(self), np.int64)
        for shard, offsets in enumerate(self._offsets):
            here = self.shard_of == shard
            tokens[here] = np.diff(offsets)[self.place[here]]
        return np.maximum(tokens, 1) * self.features.size

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens the files instead of receiving their content.
        return {key: value for key, value in self.__dict__.items() if key not in ("_values", "_offsets")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()
