"""Ids and groups as text, and whole numbers only where the text says exactly that number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from equimodal.data.checks import list_rows
from equimodal.data.coerce import is_missing
from equimodal.data.text import WHOLE
from equimodal.errors import DataError

_EXACT = 2**53
"""Up to here every whole number is a float of its own."""


def as_text(what: str, values: Any) -> np.ndarray:
    """Return identifiers as text (N,), without the spaces around them.

    `007` stays `007`, and `1_11` is not `11_1`. Numbers are written as Python writes them, whole floats as
    integers, so that the integer 3, the float 3.0 and the text "3" are one identifier.

    Args:
        what: "ids" or "groups", for messages.
        values: an array, a tensor, a list or a pandas column.

    Raises:
        DataError: an entry is None, NaN, NaT, masked or blank; all such rows are named.

    Example:
        >>> as_text("groups", ["P1", "P1 ", 7, "007", 7.0]).tolist()
        ['P1', 'P1', '7', '007', '7']
    """
    entries = as_array(values)
    if entries.ndim != 1:
        return entries.astype(str)  # whoever reads it reports the shape
    words = [None if is_missing(entry) else _word(entry) for entry in entries.tolist()]
    blank = np.flatnonzero([not word for word in words])
    if len(blank):
        advice = {
            "groups": "Name a group for each row; a sample that belongs to no group gets a name of its own.",
            "ids": "Give each row its own, or leave ids out.",
        }
        raise DataError(
            f"{what}: {list_rows(blank)} {'has' if len(blank) == 1 else 'have'} none (None, NaN or blank). "
            f"{advice.get(what, 'Fill them in.')}"
        )
    return np.array(words, dtype=str) if words else np.empty(0, dtype="U1")


def as_array(values: Any) -> np.ndarray:
    """Return what a user gave as an array, without turning entries of different types into text.

    A list becomes an object array: `np.asarray(["a", nan])` would write "nan". Masked entries become None.
    """
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, np.ma.MaskedArray):
        entries = np.asarray(values.data).astype(object)
        entries[np.ma.getmaskarray(values)] = None
        return entries
    if isinstance(values, (list, tuple)):
        if any(isinstance(entry, (list, tuple)) or getattr(entry, "ndim", 0) for entry in values):
            return np.asarray(values, dtype=object)
        entries = np.empty(len(values), dtype=object)
        entries[:] = values
        return entries
    array = np.asarray(values)
    if array.dtype.kind in "mM":  # tolist() would give integers for nanoseconds
        missing, array = np.isnat(array), array.astype(str).astype(object)
        array[missing] = None
    return array.astype(object) if array.dtype.kind == "T" else array


def whole_numbers(words: np.ndarray) -> np.ndarray | None:
    """Return text as int64 where writing the numbers back gives the same text; None if any entry does not.

    Example:
        >>> whole_numbers(np.array(["3", "-12"])).tolist(), whole_numbers(np.array(["3", "007"]))
        ([3, -12], None)
    """
    if not all(WHOLE.fullmatch(word) for word in words.tolist()):
        return None
    try:
        return np.array([int(word) for word in words.tolist()], dtype=np.int64)
    except OverflowError:
        return None


def numbered(values: np.ndarray) -> np.ndarray:
    """Return for each identifier its number among the distinct ones, int64 (N,): by size if all are whole numbers.

    Example:
        >>> numbered(np.array(["10", "9", "10"])).tolist(), numbered(np.array(["b", "a", "b"])).tolist()
        ([1, 0, 1], [1, 0, 1])
    """
    return np.unique(sortable(values), return_inverse=True)[1].astype(np.int64)


def sorting(values: np.ndarray) -> np.ndarray:
    """Return the row numbers that put identifiers in order, equal ones as they lie; by size if all are numbers."""
    return np.argsort(sortable(values), kind="stable")


def sortable(values: np.ndarray) -> np.ndarray:
    """Return identifiers as int64 if all are whole numbers, so that they sort by size; else as they are."""
    numbers = whole_numbers(values) if values.dtype.kind == "U" else None
    return values if numbers is None else numbers


def _word(entry: Any) -> str:
    if isinstance(entry, bytes):
        try:
            return entry.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"{entry!r} is not UTF-8 text. Save such entries as text: array.astype(str).") from error
    if isinstance(entry, (float, np.floating)) and float(entry).is_integer() and abs(entry) <= _EXACT:
        return str(int(entry))
    return str(entry).strip()


def text_entries(what: str, entries: Sequence[Any]) -> np.ndarray:
    """Return entries that are all text or bytes as text, without the spaces around them.

    Raises:
        DataError: bytes that are not UTF-8.
    """
    try:
        return np.array([_word(entry) for entry in entries], dtype=str)
    except DataError as error:
        raise DataError(f"{what}: {error}") from error
