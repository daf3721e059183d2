"""What the columns of users' files mean: labels, lengths, presence."""

from __future__ import annotations

import numpy as np

from equimodal.data.checks import list_rows
from equimodal.data.identifiers import whole_numbers
from equimodal.errors import DataError

_TRUTH = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False}


def as_labels(values: np.ndarray) -> np.ndarray:
    """Return a column of labels: text as whole numbers, where writing the numbers back gives the same text.

    Example:
        >>> as_labels(np.array(["3", "12"])).tolist(), as_labels(np.array(["3", "012"])).tolist()
        ([3, 12], ['3', '012'])
    """
    if values.dtype.kind != "U" or values.ndim != 1:
        return values
    numbers = whole_numbers(np.char.strip(values))
    return values if numbers is None else numbers


def as_lengths(modality: str, values: np.ndarray) -> np.ndarray:
    """Return a column of lengths as numbers: whole floats, in text or not, as integers.

    Raises:
        DataError: text that is not a number.
    """
    if values.dtype.kind == "U" and values.ndim == 1:
        values = _floats(modality, values)
    if values.dtype.kind == "f" and values.ndim == 1 and np.array_equal(values, np.rint(values)):
        return values.astype(np.int64)
    return values


def as_presence(modality: str, values: np.ndarray) -> np.ndarray:
    """Return a column of presence, text as booleans: 1 and 0, true and false, yes and no, in upper or lower case.

    Raises:
        DataError: text of another kind.

    Example:
        >>> as_presence("audio", np.array(["True", "no", "1"])).tolist()
        [True, False, True]
    """
    if values.dtype.kind not in "US" or values.ndim != 1:
        return values
    values = values.astype(str)
    truths = [_TRUTH.get(word.strip().lower().removesuffix(".0")) for word in values.tolist()]
    strange = np.flatnonzero([truth is None for truth in truths])
    if len(strange):
        raise DataError(
            f"{modality}_present: {list_rows(strange)} neither true nor false: row {strange[0]} is "
            f"'{values[strange[0]]}'. Write 1 or 0, true or false, yes or no."
        )
    return np.array(truths, dtype=bool)


def _floats(modality: str, words: np.ndarray) -> np.ndarray:
    numbers = np.empty(len(words))
    for row, word in enumerate(words.tolist()):
        try:
            numbers[row] = float(word) if word.isascii() and "_" not in word else np.nan
        except ValueError:
            numbers[row] = np.nan
    strange = np.flatnonzero(~np.isfinite(numbers))
    if len(strange):
        raise DataError(
            f"{modality}_lengths: {list_rows(strange)} not a number: row {strange[0]} is '{words[strange[0]]}'. "
            "Give the number of valid time steps of each row."
        )
    return numbers
