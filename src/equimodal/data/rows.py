"""Samples of several modalities: which rows there are, which of them hold what, and the batches they give."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

import numpy as np
import torch

from equimodal.batch import Batch
from equimodal.data import checks
from equimodal.data.coerce import coerce
from equimodal.data.columns.base import Column, Kind, Spec, Values
from equimodal.data.identifiers import as_text
from equimodal.data.loading import load_batches
from equimodal.data.modality import Modality, join
from equimodal.errors import DataError, did_you_mean

R = TypeVar("R", bound="Rows")


class Rows:
    """Rows of several modalities that have been checked; `Dataset` makes them of what a user gives.

    Rows can be selected, restricted and batched without reading the others. What holds of any rows is here;
    `Splits` are three of them.

    Args:
        name: what to call the data in reports.
        columns: each modality's column.
        ids: what identifies each row (N,).
        labels: class numbers int64 (N,), or None.
        classes: class names in order.
        groups: what must not be shared between training and test (N,), or None.
        parts: the part of the official split that each row belongs to, int64 (N,), or None.

    Attributes:
        origin: a number for each row, int64 (N,), that subsets keep and that no row of another data set has.
    """

    def __init__(
        self,
        name: str,
        columns: Mapping[str, Modality],
        ids: np.ndarray,
        labels: np.ndarray | None = None,
        classes: Sequence[str] = (),
        groups: np.ndarray | None = None,
        parts: np.ndarray | None = None,
    ) -> None:
        self.name = name
        self.ids = ids
        self.labels = labels
        self.classes: tuple[str, ...] = tuple(classes)
        self.groups = groups
        self.parts = parts
        self.origin: np.ndarray = secrets.randbits(62) + np.arange(len(ids))
        self._columns: dict[str, Modality] = dict(columns)

    def absence_problems(self) -> list[str]:
        """Return one message for each modality that no row holds."""
        return [
            f"{modality}: no sample holds this modality (absent in all {len(self)} rows). Leave it out."
            for modality, mask in self.present.items()
            if not mask.any()
        ]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        parts = [f"{modality}: {column.spec}" for modality, column in self._columns.items()]
        parts.append("no labels" if self.labels is None else f"{len(self.classes)} classes")
        absent = 1 - float(np.mean([mask.mean() for mask in self.present.values()])) if len(self) else 0.0
        parts += [f"{absent:.0%} absent"] if absent else []
        return f"Dataset('{self.name}', {len(self)} samples, {', '.join(parts)})"

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in the order given."""
        return tuple(self._columns)

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each modality's rows are."""
        return {modality: column.spec.kind for modality, column in self._columns.items()}

    @property
    def present(self) -> dict[str, np.ndarray]:
        """For each modality bool (N,), False where the sample lacks it."""
        return {modality: column.present for modality, column in self._columns.items()}

    @property
    def label_names(self) -> np.ndarray | None:
        """Name of each row's class (N,), or None where there are no labels."""
        return None if self.labels is None else np.array(self.classes)[self.labels]

    @property
    def lengths(self) -> dict[str, np.ndarray]:
        """Valid time steps (N,) of the modalities that have such; 1 at absent rows."""
        return {name: column.lengths for name, column in self._columns.items() if column.lengths is not None}

    @property
    def specs(self) -> dict[str, Spec]:
        """What is known of each modality's rows without reading them."""
        return {modality: column.spec for modality, column in self._columns.items()}

    @property
    def arrays(self) -> dict[str, Values]:
        """All rows of each modality, a list where their shapes vary. They are read for this: go by batches instead."""
        return {modality: column.column.take(slice(0, len(self))) for modality, column in self._columns.items()}

    def column(self, modality: str) -> Column:
        """Return the rows of one modality, which are read when they are taken.

        Raises:
            DataError: there is no such modality.
        """
        self._check_known([modality])
        return self._columns[modality].column

    def valid(self, modality: str) -> Iterator[np.ndarray]:
        """Yield what the samples that have a modality hold of it, by chunks, as stored and without padding.

        Raises:
            DataError: there is no such modality.
        """
        self._check_known([modality])
        return self._columns[modality].valid()

    def subset(self, indices: Any) -> Self:
        """Return the rows at `indices` (numbers, a slice or a bool mask), without reading them."""
        rows = self._rows(indices)
        return self._with(
            _columns={modality: column.select(rows) for modality, column in self._columns.items()},
            labels=None if self.labels is None else self.labels[rows],
            ids=self.ids[rows],
            groups=None if self.groups is None else self.groups[rows],
            parts=None if self.parts is None else self.parts[rows],
            origin=self.origin[rows],
        )

    def restrict(self, coalition: Collection[str]) -> Self:
        """Return the data set in which only the modalities of `coalition` are present.

        Raises:
            DataError: there is no such modality.
        """
        self._check_known(coalition)
        nobody = np.zeros(len(self), bool)
        columns = {
            modality: column if modality in coalition else replace(column, present=nobody)
            for modality, column in self._columns.items()
        }
        return self._with(_columns=columns)

    def replace_column(self, modality: str, column: Column | Values, *, double: bool = False) -> Self:
        """Return the data set with another form of one modality, for instance an encoder's prepared one.

        Args:
            modality: which one; its presence and lengths stay.
            column: a column or what one can be made of; the same rows in the same order, not checked for NaN.
            double: whether batches hold its floats in float64 instead of float32.

        Raises:
            DataError: there is no such modality, or the rows are not as many.
        """
        self._check_known([modality])
        old = self._columns[modality]
        new = column if isinstance(column, Column) else coerce(modality, column, old.spec.kind).column
        if len(new) != len(self):
            raise DataError(f"{modality}: the new column has {len(new)} rows, the data set {len(self)}.")
        return self._with(_columns={**self._columns, modality: replace(old, column=new, double=double)})

    def modality(self, name: str) -> Modality:
        """Return one modality: its column, presence and lengths.

        Raises:
            DataError: there is no such modality.
        """
        self._check_known([name])
        return self._columns[name]

    def with_modalities(self, columns: Mapping[str, Modality]) -> Self:
        """Return the data set with these modalities, of the same rows, in place of those of their names or added."""
        return self._with(_columns={**self._columns, **columns})

    def with_groups(self, groups: Any) -> Self:
        """Return the data set with other groups, one per row.

        Raises:
            DataError: there are not as many groups as rows, or one is missing.
        """
        groups = as_text("groups", groups)
        if groups.shape != (len(self),):
            raise DataError(f"groups: expected one per row, shape ({len(self)},), got shape {groups.shape}.")
        return self._with(groups=groups)

    def with_labels(self, labels: np.ndarray, classes: Sequence[str]) -> Self:
        """Return the data set with class numbers int64 (N,) and class names. One class is enough.

        Raises:
            DataError: there are not as many labels as rows.
        """
        checks.raise_problems(checks.column_problems({"labels": labels}, len(self)))
        return self._with(labels=labels, classes=tuple(classes))

    def with_classes(self, classes: Sequence[str]) -> Self:
        """Return the data set with labels counted in other classes, for instance a trained model's.

        Raises:
            DataError: a label that occurs is none of `classes`.
        """
        if self.labels is None or self.classes == tuple(classes):
            return self
        names = np.array(self.classes)[self.labels]
        strange = [name for name in np.unique(names) if name not in classes]
        if strange:
            raise DataError(
                f"{self.name}: the labels {', '.join(strange)} are none of the known classes "
                f"({', '.join(classes)}). Rename them, or leave those rows out; predict needs no labels."
            )
        labels = np.array([classes.index(name) for name in names], dtype=np.int64)
        return self._with(labels=labels, classes=tuple(classes))

    def batch(self, indices: Any) -> Batch:
        """Return the rows at `indices` as tensors.

        Floats become float32, uint8 images stay uint8, other integers become float32 in vectors, sequences
        and images and int64 elsewhere, text is an array of strings (NumPy's StringDType). Rows that vary are padded to
        the longest of the batch. Absent rows and padding are zero (text: empty); absent rows are not read. `ids` are
        the positions in this data set, `labels` are -1 where there are none.
        """
        rows = self._rows(indices)
        columns = {modality: column.select(rows) for modality, column in self._columns.items()}
        read = {modality: column.batch() for modality, column in columns.items()}
        labels = np.full(len(rows), -1, np.int64) if self.labels is None else self.labels[rows]
        return Batch(
            {modality: values for modality, (values, _) in read.items()},
            {modality: torch.from_numpy(column.present) for modality, column in columns.items()},
            torch.from_numpy(labels),
            torch.from_numpy(rows),
            {modality: torch.from_numpy(lengths) for modality, (_, lengths) in read.items() if lengths is not None},
        )

    def batches(self, batch_size: int, order: np.ndarray | None = None, *, workers: int = 0) -> Iterator[Batch]:
        """Yield batches of `batch_size` rows (the last may be smaller).

        Args:
            batch_size: rows of a batch.
            order: row numbers in the order wanted; None: all rows as they are.
            workers: processes that read ahead; 0: this one reads. Batches are the same.
        """
        rows = np.arange(len(self)) if order is None else np.asarray(order)
        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        return load_batches(self, parts, workers)

    def _rows(self, indices: Any) -> np.ndarray:
        if not isinstance(indices, slice):
            indices = np.asarray(indices)
            indices = indices.astype(np.int64) if indices.size == 0 else indices
        return np.arange(len(self))[indices]

    def _check_known(self, modalities: Collection[str]) -> None:
        for modality in modalities:
            if modality not in self._columns:
                raise DataError(f"{self.name}: no modality '{modality}'.{did_you_mean(modality, self.modalities)}")

    def _with(self, **changes: Any) -> Self:
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other


def concatenate(parts: Sequence[R]) -> R:
    """Return the rows of all parts, in order; parts of one source still share it.

    Raises:
        DataError: the parts' rows differ in shape.
    """

    def stack(columns: Sequence[np.ndarray | None]) -> np.ndarray | None:
        known = [column for column in columns if column is not None]
        return np.concatenate(known) if len(known) == len(columns) else None

    return parts[0]._with(
        _columns={name: join(name, [part._columns[name] for part in parts]) for name in parts[0].modalities},
        labels=stack([part.labels for part in parts]),
        ids=stack([part.ids for part in parts]),
        groups=stack([part.groups for part in parts]),
        parts=stack([part.parts for part in parts]),
        origin=np.concatenate([part.origin for part in parts]),
    )
