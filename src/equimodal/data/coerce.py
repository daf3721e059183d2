"""From what users hold (arrays, tensors, lists) to NumPy arrays, presence and lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch

from equimodal.errors import DataError

Kind = Literal["vector", "sequence", "image", "text", "tensor"]
"""What a modality's array holds, which decides its default encoder."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Array = np.ndarray | dict[str, np.ndarray]
"""The rows of one modality: an array (N, ...), or several by name (a tokeniser's output)."""

IMAGE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Coerced:
    """One modality as arrays.

    Args:
        array: the rows, (N, ...) or a dict of such arrays.
        absent: bool (N,), True where the input held None or an empty string.
        lengths: int64 (N,) when sequences of differing length were padded, else None.
    """

    array: Array
    absent: np.ndarray
    lengths: np.ndarray | None = None


def coerce(name: str, value: Any) -> Coerced:
    """Return one modality's rows as arrays.

    Args:
        name: the modality, for messages.
        value: an array, a tensor, a list of strings, a list of rows (None where absent), a list of (T_i, F)
            arrays of differing T, or a dict of arrays with equally many rows.

    Raises:
        DataError: the value is none of these.

    Example:
        >>> coerced = coerce("audio", [np.ones((2, 3)), None, np.ones((4, 3))])
        >>> coerced.array.shape, coerced.lengths.tolist(), coerced.absent.tolist()
        ((3, 4, 3), [2, 1, 4], [False, True, False])
    """
    if isinstance(value, Mapping):
        return _coerce_mapping(name, value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if not isinstance(value, np.ndarray) and not isinstance(value, (list, tuple)):
        if not hasattr(value, "__array__"):
            raise DataError(
                f"{name}: expected an array, a tensor or a list with one entry a row, got {type(value).__name__}."
            )
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        if value.ndim != 1:
            raise DataError(
                f"{name}: an object array of shape {value.shape} is not a rectangle of numbers. "
                "Make it numeric, or give a list with one array a row."
            )
        value = value.tolist()
    if not isinstance(value, np.ndarray):
        return _coerce_list(name, value)
    if value.dtype.kind in "UT":
        return _coerce_text(name, value)
    if value.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: values of type {value.dtype} are neither numbers nor text. "
            "Convert them, for instance with .astype('float32') or .astype(str)."
        )
    if value.ndim < 2:
        raise DataError(
            f"{name}: expected one row of features a sample, that is at least two axes, "
            f"got shape {value.shape}. A single number a sample is array.reshape(-1, 1)."
        )
    if 0 in value.shape[1:]:
        raise DataError(f"{name}: rows of shape {value.shape[1:]} hold no value. Leave the modality out.")
    return Coerced(value, np.zeros(len(value), bool))


def infer_kind(array: Array) -> Kind:
    """Return what an array most likely holds.

    Strings are text; (N, F) is a vector; uint8 (N, H, W) and 4-D arrays whose last axis has 1, 3 or 4
    entries are images; any other (N, T, F) is a sequence; the rest is a tensor.
    """
    if isinstance(array, dict):
        return "tensor"
    if array.dtype.kind == "U":
        return "text"
    if array.ndim == 2:
        return "vector"
    if array.ndim == 3:
        return "image" if array.dtype == np.uint8 else "sequence"
    if array.ndim == 4 and array.shape[-1] in IMAGE_CHANNELS:
        return "image"
    return "tensor"


def kind_problem(name: str, kind: str, array: Array) -> str | None:
    """Return what keeps ``array`` from being of ``kind``, or None."""
    if isinstance(array, dict) or kind == "tensor":
        return None
    axes = {"vector": (2,), "sequence": (3,), "image": (3, 4), "text": (1,)}[kind]
    if array.ndim in axes and (array.dtype.kind == "U") == (kind == "text"):
        return None
    form = {
        "vector": "(N, F)",
        "sequence": "(N, T, F)",
        "image": "(N, H, W) or (N, H, W, C)",
        "text": "strings (N,)",
    }
    return (
        f"{name}: kind '{kind}' needs {form[kind]}, got {array.dtype} of shape {array.shape}. "
        "Reshape the array, or name another kind."
    )


def _coerce_text(name: str, value: np.ndarray) -> Coerced:
    if value.ndim != 1:
        raise DataError(f"{name}: expected one string a sample, got an array of strings of shape {value.shape}.")
    text = value if value.dtype.kind == "U" else value.astype(str)
    return Coerced(text, np.char.strip(text) == "")


def _coerce_mapping(name: str, value: Mapping[str, Any]) -> Coerced:
    parts: dict[str, np.ndarray] = {}
    for key, entry in value.items():
        # A mask or a list of positions may have one number a row, so that no second axis is asked of these.
        part = np.asarray(entry.detach().cpu() if isinstance(entry, torch.Tensor) else entry)
        if part.dtype.kind not in "biuf" or part.ndim == 0:
            raise DataError(f"{name}[{key}]: expected an array of numbers, got {part.dtype} of shape {part.shape}.")
        parts[key] = part
    sizes = {key: len(part) for key, part in parts.items()}
    if len(set(sizes.values())) != 1:
        raise DataError(f"{name}: its arrays need equally many rows, got {sizes or 'no array at all'}.")
    return Coerced(parts, np.zeros(next(iter(sizes.values())), bool))


def _coerce_list(name: str, rows: Sequence[Any]) -> Coerced:
    absent = np.array([row is None or (isinstance(row, float) and np.isnan(row)) for row in rows], bool)
    given = [row for row, gone in zip(rows, absent, strict=True) if not gone]
    if not given:
        raise DataError(f"{name}: no row holds anything ({len(rows)} rows). Leave the modality out, or fill some.")
    if any(isinstance(row, str) for row in given):
        return _coerce_strings(name, rows, absent)
    arrays: list[np.ndarray] = []
    for number, row in zip(np.flatnonzero(~absent), given, strict=True):
        try:
            array = np.asarray(row.detach().cpu() if isinstance(row, torch.Tensor) else row)
        except (ValueError, TypeError):  # a ragged row
            array = np.empty(0, object)
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise DataError(
                f"{name}: row {number} is not an array of numbers ({type(row).__name__}). "
                "Give each row as one rectangular array, or None where it is absent."
            )
        arrays.append(array)
    return _stack(name, arrays, absent)


def _coerce_strings(name: str, rows: Sequence[Any], absent: np.ndarray) -> Coerced:
    for number, row in enumerate(rows):
        if not absent[number] and not isinstance(row, str):
            raise DataError(
                f"{name}: row {number} is {type(row).__name__} among strings. "
                "Give every row as a string, or None where it is absent."
            )
    text = np.array(["" if gone else row for row, gone in zip(rows, absent, strict=True)], dtype=str)
    return Coerced(text, np.char.strip(text) == "")


def _stack(name: str, arrays: list[np.ndarray], absent: np.ndarray) -> Coerced:
    """Put rows of one shape, or sequences that differ in their first axis only, into one array."""
    shapes = [array.shape for array in arrays]
    longest = max(shapes, key=lambda shape: shape[0])
    numbers = np.flatnonzero(~absent)
    ragged = len({shape[0] for shape in shapes}) > 1
    for number, shape in zip(numbers, shapes, strict=True):
        if len(shape) != len(longest) or shape[1:] != longest[1:] or (len(shape) == 1 and shape != longest):
            raise DataError(
                f"{name}: ragged rows: row {number} has shape {shape}, row {numbers[shapes.index(longest)]} "
                f"has {longest}. Rows may differ in their number of time steps only, as (T, F) arrays."
            )
        if shape[0] == 0:
            raise DataError(f"{name}: row {number} is empty, shape {shape}. Give None where a row is absent.")
    if len(longest) == 1 and longest[0] == 0:
        raise DataError(f"{name}: rows of shape {longest} hold no value. Leave the modality out.")
    stacked = np.zeros((len(absent), *longest), dtype=np.result_type(*{array.dtype for array in arrays}))
    lengths = np.ones(len(absent), np.int64)
    for number, array in zip(numbers, arrays, strict=True):
        stacked[number, : len(array)] = array
        lengths[number] = len(array)
    return Coerced(stacked, absent, lengths if ragged else None)
