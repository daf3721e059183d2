"""Samples of several modalities as arrays, whole or split into training, validation and test."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from equimodal.batch import Batch
from equimodal.data import checks
from equimodal.data.coerce import Array, Kind
from equimodal.data.modality import Modality, read_modality
from equimodal.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from equimodal.data.splits import Splits


class Dataset:
    """Samples of several modalities in memory, or memory-mapped.

    A row that is NaN throughout, an empty string, or None in a list means that the sample lacks the modality:
    missing values are presence, never numbers. A row that is NaN in places is an error.

    Args:
        arrays: for each modality an array (N, ...), a tensor, a list of strings, a list of (T_i, F) arrays of
            differing T (they are padded and ``lengths`` made), or a dict of arrays. Floats of any width and
            integers are kept as stored.
        labels: whole numbers or strings (N,); None where there are none (prediction).
        lengths: for sequences, valid time steps (N,); what lies beyond is padding and never looked at.
        present: for each modality bool (N,), False where the sample lacks it.
        classes: class names in order; by default the distinct labels, sorted.
        ids: what identifies each row (N,), by default 0 to N - 1.
        groups: what must not be shared between training and test (N,), for instance the subject.
        kinds: "vector", "sequence", "image", "text" or "tensor", where the inferred kind is wrong.
        name: what to call the data in reports.

    Raises:
        DataError: anything above does not hold; all mistakes are reported in one message.

    Example:
        >>> arrays = {"sound": np.ones((3, 8, 2)), "text": ["a dog", None, "a cat"]}
        >>> data = Dataset(arrays, ["dog", "dog", "cat"])
        >>> data
        Dataset('data', 3 samples, sound: sequence (8, 2), text: text, 2 classes, 17% absent)
        >>> data.present["text"].tolist(), data.batch([0, 2]).labels.tolist()
        ([True, False, True], [1, 0])
    """

    def __init__(
        self,
        arrays: Mapping[str, Any],
        labels: Any = None,
        *,
        lengths: Mapping[str, Any] | None = None,
        present: Mapping[str, Any] | None = None,
        classes: Sequence[Any] | None = None,
        ids: Any = None,
        groups: Any = None,
        kinds: Mapping[str, str] | None = None,
        name: str = "data",
    ) -> None:
        lengths, present, kinds = lengths or {}, present or {}, kinds or {}
        # Data to predict on may hold what there is; labelled data are for training and testing.
        problems = checks.name_problems(arrays, fewest=1 if labels is None else 2)
        for option, given in {"lengths": lengths, "present": present, "kinds": kinds}.items():
            problems += [
                f"{option}: there is no modality '{key}'.{did_you_mean(str(key), map(str, arrays))}"
                for key in given
                if key not in arrays
            ]
        checks.raise_problems(problems)

        self.name = name
        self.labels: np.ndarray | None = None
        self.classes: tuple[str, ...] = () if classes is None else tuple(str(value) for value in classes)
        self._columns: dict[str, Modality] = {}
        for modality, value in arrays.items():
            try:
                self._columns[modality], found = read_modality(
                    modality, value, kinds.get(modality), present.get(modality), lengths.get(modality)
                )
                problems += found
            except DataError as error:
                problems.append(str(error))
        count, found = checks.count_rows({name: len(column.present) for name, column in self._columns.items()})
        problems += found
        self.ids: np.ndarray = np.arange(count) if ids is None else np.asarray(ids)
        self.groups: np.ndarray | None = None if groups is None else np.asarray(groups)
        if labels is not None:
            try:
                self.labels, self.classes = checks.encode_labels(labels, classes)
            except DataError as error:
                problems.append(str(error))
        if not found:
            columns = {"labels": self.labels, "ids": self.ids, "groups": self.groups}
            problems += checks.column_problems(columns, count)
        problems += checks.identity_problems(self.ids)
        problems += self.absence_problems() if labels is not None and not problems else []
        checks.raise_problems(problems)

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
        parts = [f"{modality}: {column.describe()}" for modality, column in self._columns.items()]
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
        """What each modality's array holds."""
        return {modality: column.kind for modality, column in self._columns.items()}

    @property
    def present(self) -> dict[str, np.ndarray]:
        """For each modality bool (N,), False where the sample lacks it."""
        return {modality: column.present for modality, column in self._columns.items()}

    @property
    def lengths(self) -> dict[str, np.ndarray]:
        """Valid time steps (N,) of the modalities that have such; 1 at absent rows."""
        return {name: column.lengths for name, column in self._columns.items() if column.lengths is not None}

    @property
    def arrays(self) -> dict[str, Array]:
        """The rows of each modality. Part of a memory map is read for this: go by batches there."""
        return {modality: column.read() for modality, column in self._columns.items()}

    def subset(self, indices: Any) -> Self:
        """Return the rows at ``indices`` (numbers, a slice or a bool mask), without reading the arrays."""
        rows = self._rows(indices)
        return self._with(
            _columns={modality: column.select(rows) for modality, column in self._columns.items()},
            labels=None if self.labels is None else self.labels[rows],
            ids=self.ids[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def restrict(self, coalition: Collection[str]) -> Self:
        """Return the data set in which only the modalities of ``coalition`` are present.

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

    def replace_array(self, modality: str, array: Array) -> Self:
        """Return the data set with another form of one modality, for instance an encoder's prepared one.

        Args:
            modality: which one; its kind, presence and lengths stay.
            array: (N, ...), or a dict of such arrays; the same rows in the same order, not checked for NaN.

        Raises:
            DataError: there is no such modality, or the rows are not as many.
        """
        self._check_known([modality])
        for part in array.values() if isinstance(array, dict) else [array]:
            if len(part) != len(self):
                raise DataError(f"{modality}: the new array has {len(part)} rows, the data set {len(self)}.")
        column = replace(self._columns[modality], array=array, rows=None)
        return self._with(_columns={**self._columns, modality: column})

    def with_classes(self, classes: Sequence[str]) -> Self:
        """Return the data set with labels counted in other classes, for instance a trained model's.

        Raises:
            DataError: a label that occurs is none of ``classes``.
        """
        if self.labels is None or self.classes == tuple(classes):
            return self
        names = np.array(self.classes)[self.labels]
        strange = [name for name in np.unique(names) if name not in classes]
        if strange:
            raise DataError(
                f"{self.name}: the labels {', '.join(strange)} are none of the known classes "
                f"({', '.join(classes)}). Rename them, or leave those rows out."
            )
        labels = np.array([classes.index(name) for name in names], dtype=np.int64)
        return self._with(labels=labels, classes=tuple(classes))

    def batch(self, indices: Any) -> Batch:
        """Return the rows at ``indices`` as tensors.

        Floats become float32, uint8 images stay uint8, other integers become float32 in vectors, sequences
        and images and int64 elsewhere, text stays an array of strings. Absent rows and padding are zero
        (text: empty). ``ids`` are the positions in this data set, ``labels`` are -1 where there are none.
        """
        rows = self._rows(indices)
        columns = {modality: column.select(rows) for modality, column in self._columns.items()}
        labels = np.full(len(rows), -1, np.int64) if self.labels is None else self.labels[rows]
        return Batch(
            {modality: column.tensors() for modality, column in columns.items()},
            {modality: torch.from_numpy(column.present) for modality, column in columns.items()},
            torch.from_numpy(labels),
            torch.from_numpy(rows),
            {key: torch.from_numpy(col.lengths) for key, col in columns.items() if col.lengths is not None},
        )

    def batches(self, batch_size: int, order: np.ndarray | None = None) -> Iterator[Batch]:
        """Yield batches of ``batch_size`` rows (the last may be smaller), in ``order`` or as they lie."""
        rows = np.arange(len(self)) if order is None else np.asarray(order)
        for start in range(0, len(rows), batch_size):
            yield self.batch(rows[start : start + batch_size])

    def split(
        self, seed: int = 0, groups: Any = None, fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    ) -> Splits:
        """Split into training, validation and test: stratified by class, disjoint in groups if there are any.

        Args:
            seed: which split.
            groups: what must not be shared between parts (N,), by default the data set's own groups.
            fractions: sizes of the three parts, as shares of the whole.

        Raises:
            DataError: there are no labels, too few rows or groups, or a part of training is wanting.
        """
        from equimodal.data.assignment import assign  # scikit-learn costs a second: only who splits pays
        from equimodal.data.splits import PARTS, Splits

        data = self
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != (len(self),):
                raise DataError(f"groups: expected one a row, shape ({len(self)},), got shape {groups.shape}.")
            data = self._with(groups=groups)
        if data.labels is None:
            raise DataError(f"{self.name}: cannot split data without labels. Give labels.")
        part = assign(data.labels, data.groups, fractions, seed)
        train, validation, test = (data.subset(part == number) for number in range(len(PARTS)))
        how = "stratified by class" + ("" if data.groups is None else ", disjoint in groups")
        return Splits(train, validation, test, {"how": how, "seed": int(seed)})

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
