"""Looking for values that are missing or infinite, chunk by chunk, so that no memory map is read whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equimodal.data.checks import list_numbers, list_rows
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.base import Column
from equimodal.data.columns.fields import FieldsColumn
from equimodal.data.columns.ragged import RaggedColumn


def finiteness(
    name: str, column: Column, present: np.ndarray, lengths: np.ndarray | None, masks: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, list[str]]:
    """Return presence without the rows that are missing throughout, and what is wrong with the others.

    Missing is what is NaN or masked. A dict of arrays is absent only where all of its floats and masked arrays are
    missing: token numbers cannot say so. Files are looked at when they are decoded.

    Args:
        name: the modality, for messages.
        column: its rows.
        present: bool (N,); other rows are not looked at.
        lengths: int64 (N,) or None; what lies beyond is not looked at.
        masks: by name of the array the masked entries, see `equimodal.data.coerce.Coerced`.
    """
    parts: dict[str, Column] = {**column.columns} if isinstance(column, FieldsColumn) else {"": column}
    found = {
        key: _scan_ragged(part, present, lengths)
        if isinstance(part, RaggedColumn)
        else scan(part.array, present, lengths, masks.get(key))
        for key, part in parts.items()
        if isinstance(part, (ArrayColumn, RaggedColumn)) and (part.spec.dtype.kind == "f" or key in masks)
    }
    if not found:
        return present, []
    empty = np.logical_and.reduce([entry.empty for entry in found.values()])
    problems = []
    for key, entry in found.items():
        torn = np.flatnonzero(entry.flawed | (entry.empty & ~empty))
        label, missing = f"{name}[{key}]" if key else name, "masked, NaN" if key in masks else "NaN"
        if len(entry.columns):
            verb = "is" if len(entry.columns) == 1 else "are"
            problems.append(
                f"{label}: {list_numbers('column', entry.columns)} {verb} {missing.replace(', ', ' or ')} in every "
                "row. Leave out what holds no value, or fill it."
            )
        elif len(torn):
            where = entry.first if entry.flawed.any() else (int(torn[0]),)
            verb = "holds" if len(torn) == 1 else "hold"
            whole = "mask the whole row" if key in masks else "make the whole row NaN"
            problems.append(
                f"{label}: {list_rows(torn)} {verb} {missing} or infinite values among others "
                f"(the first at index {where}). Fill them, or {whole} if it is absent."
            )
    return present & ~empty, problems


@dataclass(frozen=True)
class Finiteness:
    """Where the NaN and infinite values of an array are.

    Args:
        empty: bool (N,), rows that are missing throughout.
        flawed: bool (N,), rows that hold a missing or an infinite value and are not empty.
        columns: columns (entries of the last axis) that are missing in every row that is not empty.
        first: position of the first flaw, as (row, ...); None without one.
    """

    empty: np.ndarray
    flawed: np.ndarray
    columns: np.ndarray
    first: tuple[int, ...] | None


def scan(
    array: np.ndarray, present: np.ndarray, lengths: np.ndarray | None, mask: np.ndarray | None = None
) -> Finiteness:
    """Look for missing and infinite values chunk by chunk, but not in absent rows nor beyond `lengths`.

    Args:
        array: (N, ...), of any numeric type.
        present: bool (N,); other rows are not looked at.
        lengths: int64 (N,) or None; valid entries of the second axis.
        mask: bool, shaped like the array: True where an entry is missing whatever it holds; or None.
    """
    count = len(array)
    empty, flawed, first = np.zeros(count, bool), np.zeros(count, bool), None
    seen = np.zeros(array.shape[-1] if array.ndim > 1 else 1, bool)
    for rows in ArrayColumn(array, "tensor").ranges():
        values = _as_float32(array[rows]).reshape(rows.stop - rows.start, -1, len(seen))  # pyright: ignore
        if mask is None and np.isfinite(values).all():
            seen |= bool(present[rows].any())
            continue
        valid = np.broadcast_to(present[rows, None], values.shape[:2]).copy()
        if lengths is not None:
            steps = np.arange(values.shape[1]) // (values.shape[1] // array.shape[1])
            valid &= steps < lengths[rows, None]
        missing = np.isnan(values)
        if mask is not None:
            missing |= mask[rows].reshape(missing.shape)
        gone = np.logical_and((missing | ~valid[..., None]).all((1, 2)), valid.any(1))
        wrong = (missing | np.isinf(values)) & valid[..., None] & ~gone[:, None, None]
        empty[rows] = gone
        flawed[rows] = wrong.any((1, 2))
        seen |= (~missing & valid[..., None]).any((0, 1))
        if first is None and wrong.any():
            row = int(np.argmax(wrong.any((1, 2))))
            inside = np.unravel_index(int(np.argmax(wrong[row])), array.shape[1:])
            first = (int(rows.start) + row, *(int(axis) for axis in inside))  # pyright: ignore
    columns = np.flatnonzero(~seen) if (present & ~empty).any() else np.empty(0, np.int64)
    return Finiteness(empty, flawed, columns, first)


def _scan_ragged(column: RaggedColumn, present: np.ndarray, lengths: np.ndarray | None) -> Finiteness:
    """Look for missing and infinite values row by row, in those chunks that have any."""
    count = len(column)
    empty, flawed, first = np.zeros(count, bool), np.zeros(count, bool), None
    width = column.spec.shape[-1] or 1
    seen = np.zeros(width if len(column.spec.shape) > 1 else 1, bool)
    for rows in column.ranges(np.flatnonzero(present)):
        taken = column.take(rows)
        whole = seen.all() and np.isfinite(_as_float32(np.concatenate(taken))).all()
        for number, row in zip([] if whole else np.arange(count)[rows].tolist(), taken, strict=False):
            values = _as_float32(row if lengths is None else row[: lengths[number]])
            missing, wrong = np.isnan(values), ~np.isfinite(values)
            empty[number] = missing.all()
            flawed[number] = wrong.any() and not empty[number]
            seen |= (~missing).reshape(-1, len(seen)).any(0)
            if first is None and flawed[number]:
                inside = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
                first = (number, *(int(axis) for axis in inside))
    columns = np.flatnonzero(~seen) if (present & ~empty).any() else np.empty(0, np.int64)
    return Finiteness(empty, flawed, columns, first)


def _as_float32(values: np.ndarray) -> np.ndarray:
    """Return values as models compute with them: what is too large for float32 is infinite there."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)
