"""What a column is: rows that are read when they are needed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["vector", "sequence", "image", "video", "text", "tensor"]
"""What a modality's rows are, which decides its default encoder."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Rectangle = np.ndarray | list[np.ndarray]
"""Rows of one array: an array (n, ...), or a list of n arrays where their shapes vary."""

Values = Rectangle | dict[str, np.ndarray] | dict[str, Rectangle]
"""Rows that were read: those of one array, or of several by name."""

Selection = np.ndarray | slice
"""Row numbers int64 (n,), or a slice without a step: consecutive rows, which some columns read faster."""

CHUNK = 1 << 21
"""Values that are read at once where a whole column is gone through."""

IMAGE_CHANNELS = (1, 3, 4)

PIXELS = ("image", "video")
"""Kinds whose values are pixels: uint8 stays uint8, from 0 to 255."""


@dataclass(frozen=True)
class Spec:
    """What is known of a column without reading it.

    Args:
        kind: what a row is.
        shape: of a row, `None` where it varies from row to row; `()` for text and for several arrays by name.
        dtype: of the values as stored.
        fields: the spec of each array where a row has several by name.
        padded_to: steps that a batch is padded to at least, where the first axis varies; by default batches are padded
            to their own longest row.

    Example:
        >>> str(Spec("sequence", (None, 13), np.dtype("float32")))
        'sequence (T, 13)'
    """

    kind: Kind
    shape: tuple[int | None, ...]
    dtype: np.dtype
    fields: Mapping[str, Spec] | None = None
    padded_to: int = 1

    def __str__(self) -> str:
        """Return kind and shape of a row; T stands for the axis that varies."""
        if not self.shape:
            return self.kind
        sizes = ["T" if size is None else str(size) for size in self.shape]
        return f"{self.kind} ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    @property
    def size(self) -> int:
        """Values of one row; an axis that varies counts once."""
        return max(1, int(np.prod([size or 1 for size in self.shape])))


class Column(ABC):
    """Rows of one modality. A subclass says what they are, and reads those that are asked for."""

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """What is known of the rows without reading them."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def take(self, rows: Selection) -> Values:
        """Return the rows asked for, and read no others."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a checksum of the content; every row is read for it."""

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has: one number, or int64 (N,) where that varies."""
        return self.spec.size

    def select(self, rows: np.ndarray) -> Column:
        """Return the column with the rows numbered `rows` only, in that order, without reading them."""
        return SelectedColumn(self, np.asarray(rows, np.int64))

    def ranges(self, rows: np.ndarray | None = None, *, most: int | None = None) -> Iterator[Selection]:
        """Yield all rows, or those numbered `rows`, in pieces of at most `CHUNK` values, ready to `take`.

        Args:
            rows: int64 (n,), or None for all rows.
            most: the greatest number of rows in a piece; None: as many as fit.
        """
        count = len(self) if rows is None else len(rows)
        sizes = self.sizes()
        if isinstance(sizes, np.ndarray):
            ends = np.cumsum(sizes if rows is None else sizes[rows])
        else:
            ends = np.arange(1, count + 1) * sizes
        start = 0
        while start < count:
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
            stop = min(stop, count, start + (most or count))
            yield slice(start, stop) if rows is None else as_slice(rows[start:stop])
            start = stop


class SelectedColumn(Column):
    """Some rows of another column, in any order; a row may stand in it several times.

    Args:
        source: the column they are rows of.
        rows: their numbers, int64 (N,).
    """

    def __init__(self, source: Column, rows: np.ndarray) -> None:
        self.source, self.rows = source, rows

    @property
    def spec(self) -> Spec:
        """What the source's rows are."""
        return self.source.spec

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Selection) -> Values:
        """Return the rows asked for from the source."""
        return self.source.take(as_slice(self.rows[rows]))

    def fingerprint(self) -> str:
        """Return a checksum of the source's content and of which rows these are."""
        return checksum_of([self.source.fingerprint(), self.rows.tobytes()])

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has."""
        sizes = self.source.sizes()
        return sizes[self.rows] if isinstance(sizes, np.ndarray) else sizes

    def select(self, rows: np.ndarray) -> Column:
        """Return rows of this selection as a selection of the source."""
        return SelectedColumn(self.source, self.rows[rows])


def as_slice(rows: np.ndarray) -> Selection:
    """Return consecutive row numbers as a slice, others as they are.

    Example:
        >>> as_slice(np.array([4, 5, 6])), as_slice(np.array([4, 6]))
        (slice(4, 7, None), array([4, 6]))
    """
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def checksum_of(parts: Iterable[str | bytes]) -> str:
    """Return a SHA-256 over the parts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()


def infer_kind(shape: tuple[int | None, ...], dtype: np.dtype) -> Kind:
    """Return what rows most likely are, from the shape of a column (N, ...) and its type.

    Strings are text; (N, F) is a vector; uint8 (N, H, W) and four axes of which the last has 1, 3 or 4 entries are
    images; five axes of which the last has 1, 3 or 4 entries are videos (N, T, H, W, C); any other (N, T, F) is a
    sequence; the rest is a tensor.

    Example:
        >>> infer_kind((9, 16, 32, 32, 3), np.dtype("uint8")), infer_kind((9, None, 32, 32, 3), np.dtype("float32"))
        ('video', 'video')
    """
    if dtype.kind in "UT":
        return "text"
    if len(shape) == 2:
        return "vector"
    if len(shape) == 3:
        return "image" if dtype == np.uint8 else "sequence"
    if len(shape) in (4, 5) and shape[-1] in IMAGE_CHANNELS:
        return "image" if len(shape) == 4 else "video"
    return "tensor"
