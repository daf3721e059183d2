"""Validation of data: functions that return what is wrong as messages, so that all are reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from equimodal.data.columns.base import Spec
from equimodal.errors import DataError


def raise_problems(problems: Sequence[str], what: str = "the data") -> None:
    """Raise one DataError with every message, if there is any."""
    if len(problems) == 1:
        raise DataError(problems[0])
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{len(problems)} problems in {what}:\n{lines}")


def first_problems(problems: Sequence[str], shown: int = 5) -> list[str]:
    """Return the first messages of one kind, and how many more there are.

    Example:
        >>> first_problems(["a", "b", "c"], 2)
        ['a', 'b', '1 more of the kind.']
    """
    more = len(problems) - shown
    return list(problems) if more <= 0 else [*problems[:shown], f"{more} more of the kind."]


def list_rows(rows: np.ndarray, shown: int = 5) -> str:
    """Return row numbers for a message, the first few and how many there are.

    Example:
        >>> list_rows(np.array([4])), list_rows(np.arange(9), shown=2)
        ('row 4', 'rows 0, 1, ... (9 in all)')
    """
    return list_numbers("row", rows, shown)


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


def masked_problems(columns: Mapping[str, Any]) -> list[str]:
    """Check that no entry of labels, ids, groups and the like is masked: NumPy would hand out what the mask hides."""
    problems = []
    for column, values in columns.items():
        if isinstance(values, np.ma.MaskedArray):
            rows = np.flatnonzero(np.ma.getmaskarray(values).reshape(len(values), -1).any(1)) if values.ndim else []
        elif isinstance(values, (list, tuple)) or (isinstance(values, np.ndarray) and values.dtype == object):
            rows = np.array([row for row, value in enumerate(values) if value is np.ma.masked], np.int64)
        else:
            continue
        if len(rows):
            verb = "is" if len(rows) == 1 else "are"
            problems.append(
                f"{column}: {list_rows(np.asarray(rows))} {verb} masked. Fill it in, or leave the sample out."
            )
    return problems


def mask_problem(name: str, given: np.ndarray, count: int) -> str | None:
    """Check a presence column: true or false for each row."""
    if given.shape == (count,) and (given.dtype == bool or np.isin(given, (0, 1)).all()):
        return None
    return (
        f"{name}: present must be true or false (1 or 0) for each of the {count} rows, "
        f"got {given.dtype} of shape {given.shape}."
    )


def length_form_problem(name: str, lengths: np.ndarray, spec: Spec, count: int) -> str | None:
    """Check that lengths are one whole number per row and that the modality's kind has a time axis for them."""
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        return (
            f"{name}: lengths must be one whole number per row, shape ({count},), "
            f"got {lengths.dtype} of shape {lengths.shape}."
        )
    shape = (count, *spec.shape)
    if len(spec.shape) < 2:
        got = "several arrays" if spec.fields is not None else f"shape {shape}"
        return f"{name}: lengths need an array with a time axis, (N, T, ...), got {got}. Leave its lengths out."
    if spec.kind == "image":  # of the kinds with three axes or more, the one whose second axis is not time
        better = "sequence" if len(shape) == 3 else "tensor"
        return (
            f"{name}: lengths are for sequences, but '{name}' is of kind image, {spec.dtype} of shape {shape}. "
            f"If its second axis is time, declare it: kind '{better}'. Otherwise leave its lengths out, and give "
            "every row one shape."
        )
    return None


def length_problems(name: str, lengths: np.ndarray, steps: int | np.ndarray, present: np.ndarray) -> list[str]:
    """Check the numbers of valid time steps of present rows against the steps that there are, in each row or in all."""
    wrong = np.flatnonzero(present & ((lengths < 1) | (lengths > steps)))
    if not len(wrong):
        return []
    there = f"the array's {steps}" if isinstance(steps, int) else "the row's"
    return [
        f"{name}: lengths must lie between 1 and {there} time steps; {list_rows(wrong)} "
        f"{'does' if len(wrong) == 1 else 'do'} not (row {wrong[0]} has {lengths[wrong[0]]}). "
        "Mark rows without data as absent."
    ]


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


def list_numbers(what: str, numbers: np.ndarray, shown: int = 5) -> str:
    """Return numbers for a message, the first few and how many there are, after a word for what they count."""
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    head = ", ".join(str(number) for number in numbers[:shown])
    return f"{what}s {head}" + (f", ... ({len(numbers)} in all)" if len(numbers) > shown else "")
