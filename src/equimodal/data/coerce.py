"""From what users hold (arrays, tensors, lists, columns) to a column, and which rows it has none of."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equimodal.data.checks import list_rows
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.base import IMAGE_CHANNELS, KINDS, PIXELS, Column, Kind, SelectedColumn, infer_kind
from equimodal.data.columns.fields import FieldsColumn
from equimodal.data.columns.media import MediaColumn
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.columns.text import TEXT, TextColumn
from equimodal.errors import DataError


@dataclass(frozen=True)
class Coerced:
    """One modality as a column.

    Args:
        column: the rows.
        absent: bool (N,), True where the input held None, an empty string, or a masked row.
        masks: by name of the array ("" where there is one only) the entries that were masked, bool (N, ...).
    """

    column: Column
    absent: np.ndarray
    masks: Mapping[str, np.ndarray]


def coerce(name: str, value: Any, kind: str | None = None) -> Coerced:
    """Return one modality's rows as a column.

    Args:
        name: the modality, for messages.
        value: an array (masked or not), a tensor, a list of strings, a list of rows (None where absent), a list of
            (T_i, ...) arrays of differing T, a dict of arrays with equally many rows, or a column.
        kind: what the rows are; None to infer it.

    Raises:
        DataError: the value is none of these.

    Example:
        >>> coerced = coerce("audio", [np.ones((2, 3)), None, np.ones((4, 3))])
        >>> str(coerced.column.spec), coerced.column.sizes().tolist(), coerced.absent.tolist()
        ('sequence (T, 3)', [6, 3, 12], [False, True, False])
    """
    if isinstance(value, Column):
        return Coerced(value, _absent(value), {})
    if isinstance(value, Mapping):
        return _coerce_mapping(name, value, kind)
    if isinstance(value, torch.Tensor):
        value = from_tensor(value)
    if not isinstance(value, (np.ndarray, list, tuple)):
        if not hasattr(value, "__array__"):
            raise DataError(
                f"{name}: expected an array, a tensor or a list with one entry per row, got {type(value).__name__}."
            )
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        value = _from_objects(name, value)
    if isinstance(value, (list, tuple)):
        return _coerce_list(name, value, kind)
    if value.dtype.kind in "UT":
        return _coerce_text(name, value)
    if value.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: values of type {value.dtype} are neither numbers nor text. "
            "Convert them, for instance with .astype('float32') or .astype(str)."
        )
    if value.ndim < 2:
        raise DataError(
            f"{name}: expected one row of features per sample, that is at least two axes, "
            f"got shape {value.shape}. A single number per sample is array.reshape(-1, 1); a column of labels, "
            "split, groups or ids goes by that name."
        )
    if 0 in value.shape[1:]:
        raise DataError(f"{name}: rows of shape {value.shape[1:]} hold no value. Leave the modality out.")
    plain, masks = _unmasked("", value)
    return Coerced(ArrayColumn(plain, _kind(kind, plain.shape, plain.dtype)), np.zeros(len(plain), bool), masks)


def from_tensor(tensor: torch.Tensor) -> np.ndarray | list[np.ndarray]:
    """Return a tensor's values on the CPU; a nested one as a list, types that NumPy lacks as float32."""
    tensor = tensor.detach().cpu()
    if tensor.is_nested:
        return [np.asarray(from_tensor(row)) for row in tensor.unbind()]
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    try:
        return tensor.numpy()
    except TypeError:  # bfloat16 and the 8-bit floats
        return tensor.float().numpy()


def is_missing(entry: Any) -> bool:
    """Return whether an entry stands for no value: None, NaN, `numpy.ma.masked`, pandas' NA and NaT.

    Example:
        >>> [is_missing(entry) for entry in (None, float("nan"), np.ma.masked, "", 0)]
        [True, True, True, False, False]
    """
    if entry is None or entry is np.ma.masked:
        return True
    if isinstance(entry, (float, np.floating)):
        return bool(np.isnan(entry))
    if isinstance(entry, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(entry))
    pandas = sys.modules.get("pandas")  # who holds such a value has imported it
    return pandas is not None and (entry is pandas.NA or entry is pandas.NaT)


def kind_problem(name: str, kind: str, column: Column) -> str | None:
    """Return what keeps a column from being of `kind`, or None."""
    spec = column.spec
    if spec.fields is not None or kind == "tensor":
        return None
    axes = {"vector": (1,), "sequence": (2,), "image": (2, 3), "video": (4,), "text": (0,)}[kind]
    shape = (len(column), *spec.shape)
    if len(spec.shape) not in axes or (spec.dtype.kind == "T") != (kind == "text"):
        form = {
            "vector": "(N, F)",
            "sequence": "(N, T, F)",
            "image": "(N, H, W) or (N, H, W, C)",
            "video": "(N, T, H, W, C)",
            "text": "strings (N,)",
        }
        return (
            f"{name}: kind '{kind}' needs {form[kind]}, got {spec.dtype} of shape {shape}. "
            "Reshape the array, or name another kind."
        )
    fixed = spec.shape[1:] if kind == "video" else spec.shape if kind in ("vector", "image") else ()
    if None in fixed and not isinstance(column, RaggedColumn):
        return f"{name}: rows of kind '{kind}' need one shape, got {str(spec).removeprefix(f'{kind} ')}."
    if kind in PIXELS and (advice := channels_last_advice(spec.shape)):
        form = "(N, H, W, C)" if kind == "image" else "(N, T, H, W, C)"
        return f"{name}: kind '{kind}' needs channels last, {form}, got shape {shape}. {advice}"
    return None


def channels_last_advice(shape: tuple[int | None, ...]) -> str | None:
    """Return what to do about rows that look like pictures (C, H, W) or videos (T, C, H, W); None: they do not.

    Example:
        >>> channels_last_advice((3, 32, 32))
        'If these are pictures with channels first, move the channels last: array.transpose(0, 2, 3, 1).'
        >>> channels_last_advice((32, 32, 3)), channels_last_advice((8, 8))
        (None, None)
    """
    what, axes = {3: ("pictures", "0, 2, 3, 1"), 4: ("videos", "0, 1, 3, 4, 2")}.get(len(shape), ("", ""))
    if not what or shape[-3] not in IMAGE_CHANNELS or shape[-1] in IMAGE_CHANNELS:
        return None
    return f"If these are {what} with channels first, move the channels last: array.transpose({axes})."


def _kind(kind: str | None, shape: tuple[int | None, ...], dtype: np.dtype) -> Kind:
    return _known(kind) or infer_kind(shape, dtype)


def _known(kind: str | None) -> Kind | None:
    """Return a kind if there is such a one; an unknown one is reported with the other problems."""
    return next((known for known in KINDS if known == kind), None)


def _absent(column: Column) -> np.ndarray:
    if isinstance(column, MediaColumn):
        return column.absent
    if isinstance(column, TextColumn):
        return blank(column.texts)
    if isinstance(column, SelectedColumn):
        return _absent(column.source)[column.rows]
    return np.zeros(len(column), bool)


def blank(texts: np.ndarray) -> np.ndarray:
    """Return which strings hold nothing but white space: bool (N,)."""
    return np.strings.str_len(np.strings.strip(texts)) == 0


def _unmasked(key: str, value: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an array without its mask, and the mask by name, if it hides anything."""
    if not isinstance(value, np.ma.MaskedArray):
        return value, {}
    mask = np.ma.getmaskarray(value)
    return np.ma.getdata(value), {key: mask} if mask.any() else {}


def _from_objects(name: str, value: np.ndarray) -> np.ndarray | list[Any]:
    """Return an object array as a list of its rows, or, if it is a table of numbers, as one of floats."""
    if value.ndim == 1:
        return value.tolist() if not isinstance(value, np.ma.MaskedArray) else list(value)
    entries = value.reshape(-1).tolist()
    gone = np.ma.getmaskarray(value).reshape(-1) | np.array([is_missing(entry) for entry in entries], bool)
    if gone.all() or not all(gone | np.array([isinstance(e, (int, float, np.number)) for e in entries], bool)):
        raise DataError(
            f"{name}: an object array of shape {value.shape} is not a rectangle of numbers. "
            "Make it numeric, or give a list with one array per row."
        )
    numbers = [np.nan if no else float(entry) for no, entry in zip(gone, entries, strict=True)]
    return np.array(numbers).reshape(value.shape)


def _coerce_text(name: str, value: np.ndarray) -> Coerced:
    if value.ndim != 1:
        raise DataError(f"{name}: expected one string per sample, got an array of strings of shape {value.shape}.")
    if isinstance(value, np.ma.MaskedArray) or hasattr(value.dtype, "na_object"):
        hidden = np.ma.getmaskarray(value)
        return _coerce_strings(
            name, [None if no else row for row, no in zip(np.ma.getdata(value), hidden, strict=True)]
        )
    return _text(value)


def _text(values: np.ndarray | Sequence[str]) -> Coerced:
    column = TextColumn(values)
    return Coerced(column, blank(column.texts), {})


def _coerce_mapping(name: str, value: Mapping[str, Any], kind: str | None) -> Coerced:
    parts: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for key, entry in value.items():
        # A mask or a list of positions may have one number per row, so that no second axis is asked of these.
        part = from_tensor(entry) if isinstance(entry, torch.Tensor) else entry
        part = part if isinstance(part, np.ndarray) else np.asarray(part)
        if part.dtype.kind not in "biuf" or part.ndim == 0:
            raise DataError(f"{name}[{key}]: expected an array of numbers, got {part.dtype} of shape {part.shape}.")
        parts[key], hidden = _unmasked(key, part)
        masks |= hidden
    sizes = {key: len(part) for key, part in parts.items()}
    if len(set(sizes.values())) != 1:
        raise DataError(f"{name}: its arrays need equally many rows, got {sizes or 'no array at all'}.")
    column = FieldsColumn(parts, _known(kind) or "tensor")
    return Coerced(column, np.zeros(len(column), bool), masks)


def _coerce_list(name: str, rows: Sequence[Any], kind: str | None) -> Coerced:
    absent = np.array([is_missing(row) for row in rows], bool)
    given = [row for row, gone in zip(rows, absent, strict=True) if not gone]
    if not given:
        raise DataError(f"{name}: no row holds anything ({len(rows)} rows). Leave the modality out, or fill some.")
    if any(isinstance(row, str) for row in given):
        return _coerce_strings(name, rows)
    arrays: list[np.ndarray] = []
    hidden: dict[int, np.ndarray] = {}
    for number, row in zip(np.flatnonzero(~absent).tolist(), given, strict=True):
        try:
            array = from_tensor(row) if isinstance(row, torch.Tensor) else row
            array = array if isinstance(array, np.ndarray) else np.asarray(_with_nan(array))
        except (ValueError, TypeError):  # a ragged row
            array = np.empty(0, object)
        if array.dtype.kind not in "biuf" or array.ndim == 0:
            raise DataError(
                f"{name}: row {number} is not an array of numbers ({type(row).__name__}). "
                "Give each row as one rectangular array, or None where it is absent."
            )
        plain, mask = _unmasked("", array)
        arrays.append(plain)
        hidden |= {number: mask[""]} if mask else {}
    _check_shapes(name, arrays, np.flatnonzero(~absent))
    partly = [number for number, mask in hidden.items() if not mask.all()]
    if partly:
        verb = "is" if len(partly) == 1 else "are"
        raise DataError(
            f"{name}: {list_rows(np.array(partly))} {verb} masked in places. "
            "Fill these entries, or mask the whole row if it is absent."
        )
    return _stack(arrays, absent, np.array(list(hidden), np.int64), kind)


def _with_nan(row: Any) -> Any:
    """Return a list of numbers with NaN where an entry is missing."""
    if isinstance(row, (list, tuple)) and any(is_missing(entry) for entry in row):
        return [np.nan if is_missing(entry) else entry for entry in row]
    return row


def _coerce_strings(name: str, rows: Sequence[Any]) -> Coerced:
    absent = [is_missing(row) for row in rows]
    for number, row in enumerate(rows):
        if not absent[number] and not isinstance(row, str):
            raise DataError(
                f"{name}: row {number} is {type(row).__name__} among strings. "
                "Give every row as a string, or None where it is absent."
            )
    return _text(np.array(["" if gone else row for row, gone in zip(rows, absent, strict=True)], TEXT))


def _check_shapes(name: str, arrays: list[np.ndarray], numbers: np.ndarray) -> None:
    """Check that rows have one shape, or are sequences that differ in their first axis only."""
    shapes = [array.shape for array in arrays]
    longest = max(shapes, key=lambda shape: shape[0])
    for number, shape in zip(numbers, shapes, strict=True):
        if len(shape) != len(longest) or shape[1:] != longest[1:] or (len(shape) == 1 and shape != longest):
            raise DataError(
                f"{name}: ragged rows: row {number} has shape {shape}, row {numbers[shapes.index(longest)]} "
                f"has {longest}. Rows may differ in their number of time steps only, as (T, F) arrays."
            )
        if shape[0] == 0:
            raise DataError(f"{name}: row {number} is empty, shape {shape}. Give None where a row is absent.")
    if 0 in longest:
        raise DataError(f"{name}: rows of shape {longest} hold no value. Leave the modality out.")


def _stack(arrays: list[np.ndarray], absent: np.ndarray, hidden: np.ndarray, kind: str | None) -> Coerced:
    """Return rows of one shape as one array, others without padding."""
    dtype = np.result_type(*{array.dtype for array in arrays})
    shape = arrays[0].shape
    given = iter(arrays)
    if len({len(array) for array in arrays}) == 1:
        stacked = np.zeros((len(absent), *shape), dtype)
        stacked[~absent] = arrays
        column: Column = ArrayColumn(stacked, _kind(kind, stacked.shape, dtype))
    else:
        nothing = np.empty((0, *shape[1:]), dtype)
        rows = [nothing if gone else next(given) for gone in absent]
        column = RaggedColumn.from_rows(rows, _kind(kind, (len(rows), None, *shape[1:]), dtype), dtype)
    absent = absent.copy()
    absent[hidden] = True
    return Coerced(column, absent, {})
