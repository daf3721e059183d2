"""One modality of a data set: its column, which samples have it, how long sequences are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from equimodal.batch import Input
from equimodal.data import checks
from equimodal.data.coerce import coerce, kind_problem
from equimodal.data.columns.base import KINDS, PIXELS, Column, Kind, Rectangle, Spec
from equimodal.data.columns.joined import join as join_columns
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.finite import finiteness
from equimodal.errors import did_you_mean

ROWS = 1024
"""Rows at a time where statistics are gathered: sums do not depend on how large a chunk may be."""


@dataclass(frozen=True)
class Modality:
    """A column, and what is known of each of its rows.

    Args:
        column: the rows.
        present: bool (N,), False where the sample lacks the modality; such rows are never read.
        lengths: valid time steps int64 (N,), or None.
        double: whether batches hold float64, for an encoder that would lose what float32 cannot tell apart.
    """

    column: Column
    present: np.ndarray
    lengths: np.ndarray | None = None
    double: bool = False

    @property
    def spec(self) -> Spec:
        """What the rows are."""
        return self.column.spec

    def select(self, rows: np.ndarray) -> Modality:
        """Return the modality with the rows at `rows` only, without reading them."""
        lengths = None if self.lengths is None else self.lengths[rows]
        return replace(self, column=self.column.select(rows), present=self.present[rows], lengths=lengths)

    def valid(self) -> Iterator[np.ndarray]:
        """Yield the values of all present rows by chunks, without padding: (n, ...), for sequences (steps, ...)."""
        for rows in self.column.ranges(np.flatnonzero(self.present), most=ROWS):
            values = self.column.take(rows)
            lengths = None if self.lengths is None else self.lengths[rows]
            if isinstance(values, list):
                ends = [len(row) for row in values] if lengths is None else lengths.tolist()
                yield np.concatenate([row[:end] for row, end in zip(values, ends, strict=True)])
            elif isinstance(values, dict):
                raise TypeError("Several arrays by name have no values in common.")
            else:
                yield values if lengths is None else values[np.arange(values.shape[1]) < lengths[:, None]]

    def batch(self) -> tuple[Input, np.ndarray | None]:
        """Return all rows as what an encoder takes, and the valid time steps (N,) where sequences have such.

        Absent rows and padding are zero, or empty strings; rows that vary are padded to the longest.
        """
        here = np.flatnonzero(self.present)
        everywhere = len(here) == len(self.present)
        values = self.column.take(slice(0, len(here)) if everywhere else here)
        lengths = None if self.lengths is None else np.where(self.present, self.lengths, 1)
        count = None if everywhere else len(self.present)
        if isinstance(values, dict):
            return self._named(values, here, count, lengths)
        if isinstance(values, list):
            if lengths is None and self.spec.kind != "text":
                lengths = self._steps(values, here)
            values = _padded(values, self.spec)
        values = _spread(values, here, count)
        if values.dtype.kind == "T":
            return values, lengths
        tensor = self._tensor(values, self.spec.kind)
        if lengths is not None and values.ndim > 2:  # an encoder's prepared form may have lost the time axis
            tensor[torch.from_numpy(np.arange(values.shape[1]) >= lengths[:, None])] = 0
        return tensor, lengths

    def _named(
        self, values: Mapping[str, Rectangle], here: np.ndarray, count: int | None, lengths: np.ndarray | None
    ) -> tuple[Input, np.ndarray | None]:
        """Return several arrays by name; those that vary are padded, and all of them are equally long in a row."""
        specs, tensors = self.spec.fields or {}, {}
        for key, part in values.items():
            if isinstance(part, list):
                lengths = self._steps(part, here) if lengths is None else lengths
                part = _padded(part, specs[key])
            tensors[key] = self._tensor(_spread(part, here, count), "tensor")
        return tensors, lengths

    def _steps(self, rows: list[np.ndarray], here: np.ndarray) -> np.ndarray:
        """Return how long each row is, int64 (N,); 1 where the sample lacks the modality."""
        steps = np.ones(len(self.present), np.int64)
        steps[here] = [len(row) for row in rows]
        return steps

    def _tensor(self, values: np.ndarray, kind: Kind) -> torch.Tensor:
        if values.dtype.kind == "f" or kind in ("vector", "sequence") or (kind in PIXELS and values.dtype != np.uint8):
            target: type[np.generic] = np.float64 if self.double else np.float32
        else:
            target = np.uint8 if kind in PIXELS else np.int64
        return torch.from_numpy(np.array(values, target))


def read_modality(name: str, value: Any, kind: str | None, present: Any, lengths: Any) -> tuple[Modality, list[str]]:
    """Return a modality from what a user gave, and what is wrong with it.

    Args:
        name: the modality, for messages.
        value: anything that `equimodal.data.coerce.coerce` takes.
        kind: the user's word for what it holds, or None to infer it.
        present: true or false for each row, or None.
        lengths: valid time steps of each row, or None.

    Raises:
        DataError: `value` cannot become a column.
    """
    coerced = coerce(name, value, kind)
    column, mask = coerced.column, ~coerced.absent
    problems: list[str] = []
    if kind is not None and kind not in KINDS:
        problems.append(f"kinds: unknown kind '{kind}' of '{name}'.{did_you_mean(str(kind), KINDS)}")
    elif problem := kind_problem(name, kind or column.spec.kind, column):
        problems.append(problem)
    elif kind is not None and column.spec.kind != kind:
        problems.append(f"{name}: its column is of kind '{column.spec.kind}', not '{kind}'. Say so where it is made.")
    if present is not None:
        given = np.asarray(present)
        problem = checks.mask_problem(name, given, len(mask))
        if problem:
            problems.append(problem)
        else:
            mask = mask & given.astype(bool)
    own = column.steps if isinstance(column, RaggedColumn) else None
    steps = own if lengths is None else np.asarray(lengths)
    if steps is not None and (problem := checks.length_form_problem(name, steps, column.spec, len(mask))):
        problems.append(problem)
        steps = None
    mask, found = finiteness(name, column, mask, steps, coerced.masks)
    problems += found
    if steps is not None:
        there = cast(int, column.spec.shape[0]) if own is None else own
        problems += checks.length_problems(name, steps, there, mask)
        # An absent row's length means nothing; 1 is what packing a sequence accepts.
        steps = np.where(mask, steps, 1).astype(np.int64)
    return Modality(column, mask, steps), problems


def join(name: str, parts: Sequence[Modality]) -> Modality:
    """Return the rows of all parts, in order, without reading them; parts of one column remain a selection of it.

    Raises:
        DataError: the parts' rows differ in shape.
    """
    present = np.concatenate([part.present for part in parts])
    lengths = [part.lengths for part in parts if part.lengths is not None]
    column = join_columns(name, [part.column for part in parts])
    return replace(parts[0], column=column, present=present, lengths=np.concatenate(lengths) if lengths else None)


def _padded(rows: list[np.ndarray], spec: Spec) -> np.ndarray:
    """Return rows (T_i, ...) as one array (n, T, ...) of the longest T, zero beyond each."""
    steps = np.array([len(row) for row in rows], np.int64)
    longest = max(spec.padded_to, steps.max(initial=0))
    padded = np.zeros((len(rows), longest, *(size or 1 for size in spec.shape[1:])), spec.dtype)
    if rows:
        padded[np.arange(longest) < steps[:, None]] = np.concatenate(rows)
    return padded


def _spread(values: np.ndarray, here: np.ndarray, count: int | None) -> np.ndarray:
    """Return values (n, ...) at the rows `here` of `count` rows, the others zero or empty; None: they are all."""
    if count is None:
        return values
    spread = np.zeros((count, *values.shape[1:]), values.dtype)
    spread[here] = values
    return spread
