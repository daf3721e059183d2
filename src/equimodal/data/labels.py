"""Labels and class names: from what users hold to class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equimodal.data.checks import list_rows
from equimodal.data.coerce import is_missing
from equimodal.data.identifiers import as_array, text_entries
from equimodal.errors import DataError


def encode_labels(labels: Any, classes: Sequence[Any] | None, fewest: int = 2) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return class numbers int64 (N,) and class names.

    Without `classes` the distinct labels in sorted order are the classes. With `classes` a label counts as the
    class of that name. Whole numbers, none of which is a name, count as positions 0 to C - 1 among names that are
    text.

    Args:
        labels: whole numbers, booleans or text (N,).
        classes: names in order, or None.
        fewest: least number of classes.

    Raises:
        DataError: labels of another form, a label outside `classes` (row and value named), too few classes.

    Example:
        >>> encode_labels(["sad", "glad", "sad"], None)
        (array([1, 0, 1]), ('glad', 'sad'))
        >>> encode_labels([1, 0], ["no", "yes"])
        (array([1, 0]), ('no', 'yes'))
    """
    values = _label_values(labels)
    if classes is None:
        known, numbers = np.unique(values, return_inverse=True)
        names = tuple(str(value) for value in known)
    else:
        names = class_names(classes)
        numbers = _positions(values, names, by_position=all(isinstance(name, str) for name in classes))
    if len(names) < fewest:
        raise DataError(f"labels: only one class ({', '.join(names) or 'none'}); a classifier needs at least two.")
    return numbers.astype(np.int64), names


def class_names(classes: Sequence[Any]) -> tuple[str, ...]:
    """Return class names as text, without the spaces around them.

    Raises:
        DataError: a name is missing, blank, or there twice.

    Example:
        >>> class_names([0, True, np.int64(3), "a "])
        ('0', 'True', '3', 'a')
    """
    entries = as_array(list(classes))
    if entries.ndim != 1:
        raise DataError(f"classes: expected one name per class, got an array of shape {entries.shape}.")
    names = tuple("" if is_missing(name) else str(text_entries("classes", [name])[0]) for name in entries.tolist())
    for position, name in enumerate(names):
        if not name:
            raise DataError(
                f"classes: entry {position} is {classes[position]!r}. Give each class a name (in YAML, quote it)."
            )
    if len(set(names)) != len(names):
        raise DataError(f"classes: names must differ, got {', '.join(names)}.")
    return names


def _label_values(labels: Any) -> np.ndarray:
    """Return labels as whole numbers, booleans or text (N,)."""
    values = as_array(labels)
    if values.ndim != 1:
        raise DataError(f"labels: expected one label per row, shape (N,), got shape {values.shape}. {_advice(values)}")
    if values.dtype.kind in "OS":
        values = _from_objects(values.tolist())
    if values.dtype.kind == "U":
        values = np.char.strip(values)
        blank = np.flatnonzero(values == "")
        if len(blank):
            raise DataError(f"labels: blank in {list_rows(blank)}. Name the class, or leave the sample out.")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise _missing(np.flatnonzero(np.isnan(values)), np.nan)
    if values.dtype.kind not in "biuU":
        raise DataError(
            f"labels: expected whole numbers or strings, got {values.dtype}. "
            "Convert them with labels.astype(int), or say which rows have none by leaving those out."
        )
    return values


def _from_objects(entries: list[Any]) -> np.ndarray:
    missing = np.flatnonzero([is_missing(entry) for entry in entries])
    if len(missing):
        raise _missing(missing, entries[missing[0]])
    if all(isinstance(entry, (str, bytes)) for entry in entries):
        return text_entries("labels", entries)
    if all(isinstance(entry, (bool, np.bool_)) for entry in entries):
        return np.array(entries, dtype=bool)
    if all(isinstance(entry, (int, float, np.integer, np.floating, np.bool_)) for entry in entries):
        return np.array(entries)
    text = isinstance(entries[0], str)
    strange = next(row for row, entry in enumerate(entries) if isinstance(entry, str) != text or not _plain(entry))
    raise DataError(
        f"labels: row {strange} is {entries[strange]!r}, row 0 is {entries[0]!r}. "
        "Give whole numbers, or strings throughout."
    )


def _plain(entry: Any) -> bool:
    return isinstance(entry, (str, bool, int, float, np.number, np.bool_))


def _missing(rows: np.ndarray, entry: Any) -> DataError:
    return DataError(
        f"labels: row {rows[0]} is {entry}: {list_rows(rows)} {'has' if len(rows) == 1 else 'have'} no label. "
        "Leave such samples out, or give their class."
    )


def _advice(values: np.ndarray) -> str:
    if values.ndim == 2 and values.shape[1] == 1:
        return "Give labels[:, 0]."
    if values.ndim == 2 and ((values == 0) | (values == 1)).all() and ((values == 1).sum(1) == 1).all():
        return "They look one-hot: give labels.argmax(1)."
    return "Give the class of each row."


def _positions(values: np.ndarray, names: tuple[str, ...], *, by_position: bool) -> np.ndarray:
    """Return the position of each label among the names."""
    shown, words = names, values.astype(str)
    if values.dtype.kind in "biu" and not np.isin(words, names).all():
        if values.dtype.kind == "b":
            words = values.astype(np.int64).astype(str)
        if by_position:
            shown = tuple(str(number) for number in range(len(names)))
    order = np.argsort(np.array(shown))
    known = np.array(shown)[order]
    found = np.searchsorted(known, words).clip(max=len(known) - 1)
    strange = np.flatnonzero(known[found] != words)
    if len(strange):
        listed = ", ".join(shown[:10]) + (", ..." if len(shown) > 10 else "")
        raise DataError(
            f"labels: {list_rows(strange)} outside the classes: row {strange[0]} is '{values[strange[0]]}', "
            f"known are {listed}. Correct the labels, or give other names of classes."
        )
    return order[found]
