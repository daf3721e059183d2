"""The rows of several columns, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from equimodal.data.columns.base import Column, SelectedColumn, Selection, Spec, Values, as_slice, checksum_of
from equimodal.errors import DataError


class JoinedColumn(Column):
    """Rows of several columns with the same spec; none is read or copied for it.

    Args:
        parts: the columns, in order.
    """

    def __init__(self, parts: Sequence[Column]) -> None:
        self.parts = tuple(parts)
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])

    @property
    def spec(self) -> Spec:
        """What all rows are; the type that holds the values of every part."""
        specs = [part.spec for part in self.parts]
        dtype = specs[0].dtype if specs[0].fields is not None else np.result_type(*(spec.dtype for spec in specs))
        return replace(specs[0], dtype=dtype, padded_to=max(spec.padded_to for spec in specs))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: Selection) -> Values:
        """Return rows from the parts that have them."""
        numbers = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        owners = np.searchsorted(self.starts, numbers, side="right") - 1
        taken, places = [], []
        for owner in np.unique(owners).tolist():
            here = np.flatnonzero(owners == owner)
            part = self.parts[owner]
            taken.append(_cast(part.take(as_slice(numbers[here] - self.starts[owner])), self.spec.dtype))
            places.append(here)
        if not taken:
            return self.parts[0].take(slice(0, 0))
        return _interleave(taken, np.argsort(np.concatenate(places), kind="stable"))

    def fingerprint(self) -> str:
        """Return a checksum of all parts."""
        return checksum_of(part.fingerprint() for part in self.parts)

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has."""
        sizes = [part.sizes() for part in self.parts]
        if all(isinstance(size, int) for size in sizes) and len(set(sizes)) == 1:  # pyright: ignore[reportArgumentType]
            return sizes[0]
        return np.concatenate([np.broadcast_to(s, len(part)) for s, part in zip(sizes, self.parts, strict=True)])


def join(name: str, parts: Sequence[Column]) -> Column:
    """Return the rows of all parts, in order; parts of one source remain a selection of it.

    Raises:
        DataError: the parts' rows differ in shape.
    """
    shapes = [{"": part.spec, **(part.spec.fields or {})} for part in parts]
    for key in shapes[0]:
        if len({spec[key].shape if key in spec else None for spec in shapes}) > 1:
            label = f"{name}[{key}]" if key else name
            listed = ", ".join(str((len(part), *spec[key].shape)) for part, spec in zip(parts, shapes, strict=True))
            raise DataError(f"{label}: the parts' rows differ in shape: {listed}. Pad them to one shape.")
    pieces = [(part.source, part.rows) if isinstance(part, SelectedColumn) else (part, None) for part in parts]
    source = pieces[0][0]
    if all(piece is source for piece, _ in pieces):
        every = np.arange(len(source))
        return SelectedColumn(source, np.concatenate([every if rows is None else rows for _, rows in pieces]))
    return JoinedColumn(parts)


def _cast(values: Values, dtype: np.dtype) -> Values:
    """Return values in the type of the whole, so that a batch's type does not depend on the parts it comes from."""
    if isinstance(values, np.ndarray):
        return values.astype(dtype, copy=False)
    return [row.astype(dtype, copy=False) for row in values] if isinstance(values, list) else values


def _interleave(taken: list[Values], order: np.ndarray) -> Values:
    first = taken[0]
    if isinstance(first, dict):
        return {key: _interleave([part[key] for part in taken], order) for key in first}  # pyright: ignore
    if any(isinstance(part, list) for part in taken):
        rows = [row for part in taken for row in part]
        return [rows[position] for position in order]
    return np.concatenate(taken)[order]  # pyright: ignore[reportArgumentType, reportCallIssue]
