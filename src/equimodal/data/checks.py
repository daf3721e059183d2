"""Validation of data: functions that return what is wrong as messages, so that all are reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equimodal.data.coerce import Array
from equimodal.errors import DataError

CHUNK = 1 << 22
"""Values looked at at once, so that a memory map is never read whole."""


def raise_problems(problems: Sequence[str], what: str = "the data") -> None:
    """Raise one DataError with every message, if there is any."""
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{len(problems)} problems in {what}:\n{lines}")


def list_rows(rows: np.ndarray, shown: int = 5) -> str:
    """Return row numbers for a message, the first few and how many there are.

    Example:
        >>> list_rows(np.array([4])), list_rows(np.arange(9), shown=2)
        ('row 4', 'rows 0, 1, ... (9 in all)')
    """
    return _list("row", rows, shown)


def name_problems(names: Iterable[Any], fewest: int = 2) -> list[str]:
    """Check modality names: a `ModuleDict` cannot hold every name, "+" joins them in coalitions, "," in `--present`."""
    container, names = torch.nn.ModuleDict(), list(names)
    problems = []
    if len(names) < fewest:
        got = f"1 ({names[0]})" if names else "none"
        wanted = "two modalities" if fewest == 2 else "one modality"
        problems.append(f"Expected at least {wanted}, got {got}. Add another one.")
    for name in names:
        if not isinstance(name, str) or not name:
            problems.append(f"A modality's name must be a string that is not empty, got {name!r}. Rename it.")
        elif name != name.strip():
            problems.append(f"The modality name '{name}' begins or ends with a space. Rename it to '{name.strip()}'.")
        elif any(mark in name for mark in ".+,") or hasattr(container, name):
            mark = next((mark for mark in ".+," if mark in name), None)
            why = f"contains '{mark}'" if mark else "is a name that torch.nn.ModuleDict uses itself"
            better = name.translate(str.maketrans(".+,", "___")) if mark else f"{name}_input"
            problems.append(f"The modality name '{name}' {why}. Rename it, for instance to '{better}'.")
    return problems


def count_rows(sizes: Mapping[str, int]) -> tuple[int, list[str]]:
    """Return the number of rows, and what is wrong when modalities differ in it or have none."""
    count = next(iter(sizes.values()), 0)
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{modality} {size}" for modality, size in sizes.items())
        return count, [f"Every modality needs the same rows in the same order, got {listed} rows. Align them."]
    return count, ["The data hold no row. Give at least one sample."] if sizes and not count else []


def column_problems(columns: Mapping[str, np.ndarray | None], count: int) -> list[str]:
    """Check that labels, ids and groups have one entry per row."""
    return [
        f"{column}: expected one per row, shape ({count},), got shape {values.shape}."
        for column, values in columns.items()
        if values is not None and values.shape != (count,)
    ]


def mask_problem(name: str, given: np.ndarray, count: int) -> str | None:
    """Check a presence column: true or false for each row."""
    if given.shape == (count,) and (given.dtype == bool or np.isin(given, (0, 1)).all()):
        return None
    return (
        f"{name}: present must be true or false (1 or 0) for each of the {count} rows, "
        f"got {given.dtype} of shape {given.shape}."
    )


def length_form_problem(name: str, lengths: np.ndarray, array: Array, kind: str, count: int) -> str | None:
    """Check that lengths are one whole number a row and that the modality's kind has a time axis for them."""
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        return (
            f"{name}: lengths must be one whole number a row, shape ({count},), "
            f"got {lengths.dtype} of shape {lengths.shape}."
        )
    if isinstance(array, dict) or array.ndim < 3:
        got = "several arrays" if isinstance(array, dict) else f"shape {array.shape}"
        return f"{name}: lengths need an array with a time axis, (N, T, ...), got {got}. Leave its lengths out."
    if kind == "image":  # of the kinds with three axes or more, the one whose second axis is not time
        better = "sequence" if array.ndim == 3 else "tensor"
        return (
            f"{name}: lengths are for sequences, but '{name}' is of kind image, {array.dtype} of shape {array.shape}. "
            f"If its second axis is time, declare it: kind '{better}'. Otherwise leave its lengths out, and give "
            "every row one shape."
        )
    return None


def length_problems(name: str, lengths: np.ndarray, steps: int, present: np.ndarray) -> list[str]:
    """Check the numbers of valid time steps of present rows against the array's ``steps``."""
    wrong = np.flatnonzero(present & ((lengths < 1) | (lengths > steps)))
    if not len(wrong):
        return []
    return [
        f"{name}: lengths must lie between 1 and the array's {steps} time steps; {list_rows(wrong)} "
        f"{'does' if len(wrong) == 1 else 'do'} not (row {wrong[0]} has {lengths[wrong[0]]}). "
        "Mark rows without data as absent."
    ]


def finiteness(
    name: str, array: Array, present: np.ndarray, lengths: np.ndarray | None
) -> tuple[np.ndarray, list[str]]:
    """Return presence without the rows that are NaN throughout, and what is wrong with the others.

    A dict of arrays is absent only where all of its floats are NaN: token numbers cannot say so.
    """
    parts = array if isinstance(array, dict) else {"": array}
    found = {key: scan(part, present, lengths) for key, part in parts.items() if part.dtype.kind == "f"}
    if not found:
        return present, []
    empty = np.logical_and.reduce([entry.empty for entry in found.values()])
    problems = []
    for key, entry in found.items():
        torn = np.flatnonzero(entry.flawed | (entry.empty & ~empty))
        label = f"{name}[{key}]" if key else name
        if len(entry.columns):
            verb = "is" if len(entry.columns) == 1 else "are"
            problems.append(
                f"{label}: {_list('column', entry.columns)} {verb} NaN in every row. "
                "Leave out what holds no value, or fill it."
            )
        elif len(torn):
            where = entry.first if entry.flawed.any() else (int(torn[0]),)
            verb = "holds" if len(torn) == 1 else "hold"
            problems.append(
                f"{label}: {list_rows(torn)} {verb} NaN or infinite values among others "
                f"(the first at index {where}). Fill them, or make the whole row NaN if it is absent."
            )
    return present & ~empty, problems


@dataclass(frozen=True)
class Finiteness:
    """What a scan for NaN and infinite values found.

    Args:
        empty: bool (N,), rows that are NaN throughout.
        flawed: bool (N,), rows that hold a NaN or an infinite value and are not empty.
        columns: columns (entries of the last axis) that are NaN in every row that is not empty.
        first: position of the first flaw, as (row, ...); None without one.
    """

    empty: np.ndarray
    flawed: np.ndarray
    columns: np.ndarray
    first: tuple[int, ...] | None


def scan(array: np.ndarray, present: np.ndarray, lengths: np.ndarray | None) -> Finiteness:
    """Look for NaN and infinite values chunk by chunk, but not in absent rows nor beyond ``lengths``.

    Args:
        array: (N, ...), of any numeric type.
        present: bool (N,); other rows are not looked at.
        lengths: int64 (N,) or None; valid entries of the second axis.
    """
    count = len(array)
    empty, flawed, first = np.zeros(count, bool), np.zeros(count, bool), None
    if array.dtype.kind != "f":
        return Finiteness(empty, flawed, np.empty(0, np.int64), None)
    seen = np.zeros(array.shape[-1] if array.ndim > 1 else 1, bool)
    for start, stop in _chunks(array):
        # Models compute in float32: what is too large for it would be infinite there.
        with np.errstate(over="ignore"):
            values = np.asarray(array[start:stop], np.float32).reshape(stop - start, -1, len(seen))
        valid = np.broadcast_to(present[start:stop, None], values.shape[:2]).copy()
        if lengths is not None:
            steps = np.arange(values.shape[1]) // (values.shape[1] // array.shape[1])
            valid &= steps < lengths[start:stop, None]
        missing = np.isnan(values)
        gone = np.logical_and((missing | ~valid[..., None]).all((1, 2)), valid.any(1))
        wrong = ~np.isfinite(values) & valid[..., None] & ~gone[:, None, None]
        empty[start:stop] = gone
        flawed[start:stop] = wrong.any((1, 2))
        seen |= (~missing & valid[..., None]).any((0, 1))
        if first is None and wrong.any():
            row = int(np.argmax(flawed[start:stop]))
            inside = np.unravel_index(int(np.argmax(wrong[row])), array.shape[1:])
            first = (start + row, *(int(axis) for axis in inside))
    columns = np.flatnonzero(~seen) if (present & ~empty).any() else np.empty(0, np.int64)
    return Finiteness(empty, flawed, columns, first)


def identity_problems(ids: np.ndarray) -> list[str]:
    """Check that no two rows bear the same id."""
    values, counts = np.unique(ids, return_counts=True)
    twice = counts > 1
    if not twice.any():
        return []
    value = values[twice][0]
    rows = np.flatnonzero(ids == value)
    return [
        f"ids: {int(twice.sum())} of them occur more than once, '{value}' in {list_rows(rows)}. "
        "Give each row its own, or leave ids out."
    ]


def _list(what: str, numbers: np.ndarray, shown: int = 5) -> str:
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    head = ", ".join(str(number) for number in numbers[:shown])
    return f"{what}s {head}" + (f", ... ({len(numbers)} in all)" if len(numbers) > shown else "")


def _chunks(array: np.ndarray) -> Iterator[tuple[int, int]]:
    rows = max(1, CHUNK // max(1, int(np.prod(array.shape[1:]))))
    return ((start, min(start + rows, len(array))) for start in range(0, len(array), rows))
