"""One modality of a data set: its rows, what they hold, which samples have it, how long sequences are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from equimodal.batch import Input
from equimodal.data import checks
from equimodal.data.coerce import KINDS, Array, Kind, coerce, infer_kind, kind_problem
from equimodal.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Modality:
    """Some rows of an array that is kept whole, so that part of a memory map is not read until it is used.

    Args:
        array: what is stored, (M, ...) or a dict of such arrays.
        kind: what the array holds.
        present: bool (N,), False where the sample lacks the modality.
        lengths: valid time steps int64 (N,), or None.
        rows: which of the M stored rows these are, int64 (N,); None for all of them.
    """

    array: Array
    kind: Kind
    present: np.ndarray
    lengths: np.ndarray | None = None
    rows: np.ndarray | None = None

    def read(self) -> Array:
        """Return all rows."""
        return self.array if self.rows is None else _take(self.array, self.rows)

    def select(self, indices: np.ndarray) -> Modality:
        """Return the modality with the rows at ``indices`` only, without reading them."""
        return replace(
            self,
            present=self.present[indices],
            lengths=None if self.lengths is None else self.lengths[indices],
            rows=indices if self.rows is None else self.rows[indices],
        )

    def tensors(self) -> Input:
        """Return all rows as what an encoder takes; absent rows and padding are zero, or empty strings."""
        values = self.read()
        if isinstance(values, dict):
            return {key: _tensor(part, self.present, None, "tensor") for key, part in values.items()}
        if values.dtype.kind == "U":
            return np.where(self.present, values, "")
        return _tensor(values, self.present, self.lengths, self.kind)

    def describe(self) -> str:
        """Return kind and shape of a row, for instance ``sequence (50, 6)``."""
        plain = isinstance(self.array, dict) or self.array.ndim < 2
        return self.kind if plain else f"{self.kind} {cast(np.ndarray, self.array).shape[1:]}"


def read_modality(name: str, value: Any, kind: str | None, present: Any, lengths: Any) -> tuple[Modality, list[str]]:
    """Return a modality from what a user gave, and what is wrong with it.

    Args:
        name: the modality, for messages.
        value: anything that :func:`equimodal.data.coerce.coerce` takes.
        kind: the user's word for what it holds, or None to infer it.
        present: true or false for each row, or None.
        lengths: valid time steps of each row, or None.

    Raises:
        DataError: ``value`` cannot become an array.
    """
    coerced = coerce(name, value)
    array, mask = coerced.array, ~coerced.absent
    known = infer_kind(array) if kind is None else cast(Kind, kind)
    problems: list[str] = []
    if known not in KINDS:
        problems.append(f"kinds: unknown kind '{kind}' of '{name}'.{did_you_mean(str(kind), KINDS)}")
    elif problem := kind_problem(name, known, array):
        problems.append(problem)
    if present is not None:
        given = np.asarray(present)
        problem = checks.mask_problem(name, given, len(mask))
        if problem:
            problems.append(problem)
        else:
            mask = mask & given.astype(bool)
    steps = coerced.lengths if lengths is None else np.asarray(lengths)
    if steps is not None and (problem := checks.length_form_problem(name, steps, array, known, len(mask))):
        problems.append(problem)
        steps = None
    mask, found = checks.finiteness(name, array, mask, steps)
    problems += found
    if steps is not None:
        problems += checks.length_problems(name, steps, cast(np.ndarray, array).shape[1], mask)
        # An absent row's length means nothing; 1 is what packing a sequence accepts.
        steps = np.where(mask, steps, 1).astype(np.int64)
    return Modality(array, known, mask, steps), problems


def join(name: str, parts: Sequence[Modality]) -> Modality:
    """Return the rows of all parts, in order; parts of one array go on sharing it.

    Raises:
        DataError: the parts' rows differ in shape.
    """
    first = parts[0]
    present = np.concatenate([part.present for part in parts])
    lengths = [part.lengths for part in parts if part.lengths is not None]
    joined = replace(first, present=present, lengths=np.concatenate(lengths) if lengths else None)
    rows = [part.rows for part in parts if part.rows is not None and part.array is first.array]
    if len(rows) == len(parts):
        return replace(joined, rows=np.concatenate(rows))
    arrays = [part.read() for part in parts]
    tables = [array if isinstance(array, dict) else {"": array} for array in arrays]
    pieces = {key: [table[key] for table in tables] for key in tables[0]}
    for key, values in pieces.items():
        if len({value.shape[1:] for value in values}) > 1:
            shapes = ", ".join(str(value.shape) for value in values)
            label = f"{name}[{key}]" if key else name
            raise DataError(f"{label}: the parts' rows differ in shape: {shapes}. Pad them to one shape.")
    whole = {key: np.concatenate(values) for key, values in pieces.items()}
    return replace(joined, array=whole if isinstance(first.array, dict) else whole[""], rows=None)


def _take(array: Array, rows: np.ndarray) -> Array:
    return {key: part[rows] for key, part in array.items()} if isinstance(array, dict) else array[rows]


def _tensor(values: np.ndarray, present: np.ndarray, lengths: np.ndarray | None, kind: Kind) -> torch.Tensor:
    if values.dtype.kind == "f" or kind in ("vector", "sequence") or (kind == "image" and values.dtype != np.uint8):
        target = np.float32
    else:
        target = np.uint8 if kind == "image" else np.int64
    values = values.astype(target)
    values[~present] = 0
    if lengths is not None and values.ndim > 2:  # an encoder's prepared form may have lost the time axis
        values[np.arange(values.shape[1]) >= lengths[:, None]] = 0
    return torch.from_numpy(values)
