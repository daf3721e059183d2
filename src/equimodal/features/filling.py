"""Encoding the rows that are missing, shard by shard."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from equimodal.data.columns.base import Column, Selection, Spec, Values
from equimodal.errors import DataError, RunError
from equimodal.features.part import FrozenPart
from equimodal.progress import Reporter
from equimodal.tables.words import duration

ROWS_AT_ONCE = 256
"""Rows that an encoder is given at most; fewer where they are large, see `Column.ranges`."""
SHARD_BYTES = 1 << 26
SHARD_SECONDS = 60.0
"""A shard is written when it is so large or so old: what a kill costs is less than that."""


class Filling:
    """Collects features and writes them by the shard.

    Args:
        write: writes rows (n,) and the features of each.
        size: bytes at which a shard is written.
        seconds: age at which it is.
    """

    def __init__(
        self,
        write: Callable[[np.ndarray, list[np.ndarray]], None],
        *,
        size: int = SHARD_BYTES,
        seconds: float = SHARD_SECONDS,
    ) -> None:
        self._write, self._size, self._seconds = write, size, seconds
        self._rows: list[int] = []
        self._values: list[np.ndarray] = []
        self._bytes, self._since = 0, time.monotonic()

    def add(self, row: int, value: np.ndarray) -> None:
        """Take one row's features; a shard that is full is written first."""
        if self._rows and (self._bytes >= self._size or time.monotonic() - self._since >= self._seconds):
            self.flush()
        self._rows.append(row)
        self._values.append(value)
        self._bytes += value.nbytes

    def flush(self) -> None:
        """Write what was collected."""
        rows, values = np.array(self._rows, np.int64), self._values
        self._rows, self._values, self._bytes, self._since = [], [], 0, time.monotonic()
        if len(rows):
            self._write(rows, values)


def fill(
    filling: Filling, part: FrozenPart, column: Column, rows: np.ndarray, modality: str, progress: Reporter | None
) -> None:
    """Encode rows of a column chunk by chunk.

    If something stops it, what was encoded is written first.

    Args:
        filling: takes the features.
        part: the frozen part.
        column: the rows.
        rows: which of them, int64 (n,), rising.
        modality: the column's name, for messages.
        progress: shows how far it is.

    Raises:
        DataError: the part returned something else than it said, or NaN or infinite features.
    """
    spec, done, began = part.features_of(column), 0, time.monotonic()
    pieces = list(column.ranges(rows, most=ROWS_AT_ONCE))
    if progress is not None:
        progress.start(f"features of {modality}", len(pieces), 0)
    try:
        for piece in pieces:
            numbers = np.arange(piece.start, piece.stop) if isinstance(piece, slice) else piece
            for number, value in zip(
                numbers.tolist(), checked(part.encode(column, piece), spec, numbers, modality), strict=True
            ):
                filling.add(number, value)
            done += len(numbers)
            if progress is not None:
                left = (time.monotonic() - began) / done * (len(rows) - done)
                progress.step(f"{done} of {len(rows)} rows, {duration(left)} left")
        filling.flush()
    except BaseException:
        with suppress(RunError):  # the disk may be what failed
            filling.flush()
        raise
    finally:
        if progress is not None:
            progress.finish()


def checked(values: Values, spec: Spec, rows: Selection, modality: str) -> list[np.ndarray]:
    """Return each row's features, in the type that the part said, after a check.

    Raises:
        DataError: they are not what the part said, or not finite.
    """
    numbers = np.asarray(rows)
    if isinstance(values, dict) or len(values) != len(numbers):
        came = "several arrays by name" if isinstance(values, dict) else f"{len(values)} rows"
        raise DataError(f"{modality}: the frozen encoder was given {len(numbers)} rows, and returned {came}.")
    found = [np.asarray(value).astype(spec.dtype, copy=False) for value in values]
    for number, value in zip(numbers.tolist(), found, strict=True):
        fits = value.ndim == len(spec.shape) and all(
            size in (None, there) for size, there in zip(spec.shape, value.shape, strict=True)
        )
        if not fits:
            raise DataError(
                f"{modality}: the frozen encoder said that features are {spec}, and returned shape {value.shape} for "
                f"row {number}."
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise DataError(
                f"{modality}: the frozen encoder returned NaN or infinite features for row {number}. Look at that row, "
                "or let the encoder compute in float32."
            )
    return found
