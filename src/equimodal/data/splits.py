"""Training, validation and test part of one data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, cast

import numpy as np

from equimodal.data import checks
from equimodal.data.archive import checksum
from equimodal.data.assignment import PARTS, assign, draw_stratified
from equimodal.data.columns.base import Kind
from equimodal.data.rows import R, Rows, concatenate
from equimodal.errors import DataError

FRACTIONS = (0.6, 0.2, 0.2)
"""Shares of the parts where none are asked for."""

SAMPLE = 64
"""Rows of each part whose values enter the fingerprint: reading all would cost a pass over a memory map."""


class Splits(Generic[R]):
    """Training, validation and test part of one data set.

    Args:
        train: what is learnt from.
        validation: what decides (selection, steering, early stopping).
        test: what is reported, once.
        provenance: how the parts came about, JSON-safe; sizes and groups are added. With labels left out, ``pool`` is
            the size of the training part that the labelled rows were drawn from.

    Raises:
        DataError: the parts do not fit together or share a group, or training lacks labels, classes or a
            modality.

    Example:
        >>> from equimodal.data.dataset import Dataset
        >>> data = Dataset({"a": np.ones((50, 2)), "b": np.ones((50, 3))}, [0, 1] * 25).split(seed=0)
        >>> data
        Splits('data', train 30, validation 10, test 10)
        >>> len(data.scarce(8, seed=0).train)
        8
    """

    def __init__(self, train: R, validation: R, test: R, provenance: Mapping[str, Any] | None = None) -> None:
        self.train, self.validation, self.test = train, validation, test
        problems = [
            f"{part}: its {what} are not those of train: expected {expected}, got {getattr(data, what)}."
            for part, data in {"validation": validation, "test": test}.items()
            for what in ("modalities", "classes", "kinds")
            if (expected := getattr(train, what)) != getattr(data, what)
        ]
        for part, data in self.parts().items():
            if not len(data):
                problems.append(f"{part}: holds no row. Each part needs some.")
            if data.labels is None:
                problems.append(f"{part}: has no labels. Training and testing need them.")
        problems += [f"train: {problem}" for problem in train.absence_problems() if len(train)]
        if train.labels is not None and len(train) and len(np.unique(train.labels)) < 2:
            only = train.classes[int(train.labels[0])]
            problems.append(f"train: only one class ({only}); a classifier needs at least two in its training part.")
        problems += self._shared_groups()
        checks.raise_problems(problems, "the split")
        self.provenance: dict[str, Any] = {
            **(provenance or {"how": "given"}),
            "groups": None if train.groups is None else len(np.unique(self._group_column())),
            "sizes": {part: len(data) for part, data in self.parts().items()},
        }

    def __repr__(self) -> str:
        return f"Splits('{self.name}', " + ", ".join(f"{part} {len(data)}" for part, data in self.parts().items()) + ")"

    def parts(self) -> dict[str, R]:
        """Return the three parts by name, training first."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return self.train.modalities

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.train.classes

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each modality's array holds."""
        return self.train.kinds

    @property
    def name(self) -> str:
        """What the data set is called."""
        return self.train.name

    def fingerprint(self) -> str:
        """Return a checksum of all labels, ids and presence, and of the values of each part's first rows."""
        arrays: dict[str, np.ndarray] = {}
        for part, rows in self.parts().items():
            columns = {"labels": rows.labels, "ids": rows.ids, **rows.present}
            for name, value in rows.batch(np.arange(min(SAMPLE, len(rows)))).inputs.items():
                for key, values in (value if isinstance(value, dict) else {"": value}).items():
                    columns[f"{name}/{key}"] = np.asarray(values)
            for name, column in columns.items():
                column = np.asarray(column)
                arrays[f"{part}/{name}"] = np.array(column.tolist()) if column.dtype.kind in "OT" else column
        return checksum(arrays)[:16]

    def redraw(self, seed: int) -> Splits[R]:
        """Return the same rows split anew into parts of the same shares, disjoint in groups if there are any.

        The result depends on the rows, the sizes of the parts and the seed, not on the split before.
        """
        whole = concatenate(list(self.parts().values()))
        whole = whole.subset(np.argsort(whole.ids, kind="stable"))
        train, validation, test = (len(data) / len(whole) for data in self.parts().values())
        drawn = draw(whole, seed, fractions=(train, validation, test))
        provenance = {**self.provenance, **drawn.provenance, "source": None}
        provenance.pop("pool", None)  # labels left out before are no rows of the new training part
        return Splits(drawn.train, drawn.validation, drawn.test, provenance)

    def scarce(self, labels: int, seed: int) -> Splits[R]:
        """Return the split with ``labels`` training rows only: stratified, at least one of each class.

        Raises:
            DataError: fewer rows than classes, or more than there are, are asked for.
        """
        rows = draw_stratified(cast(np.ndarray, self.train.labels), labels, seed)
        scarce = {"labels": int(labels), "seed": int(seed)}
        pool = self.provenance.get("pool", len(self.train))
        provenance = {**self.provenance, "scarce": scarce, "pool": pool, "source": None}
        return Splits(self.train.subset(rows), self.validation, self.test, provenance)

    def _group_column(self) -> np.ndarray:
        return np.concatenate([cast(np.ndarray, data.groups) for data in self.parts().values()])

    def _shared_groups(self) -> list[str]:
        known = {part: data.groups for part, data in self.parts().items()}
        without = [part for part, groups in known.items() if groups is None]
        if without:
            return (
                [] if len(without) == len(known) else [f"{', '.join(without)}: no groups, the other parts have some."]
            )
        values = {part: np.unique(cast(np.ndarray, groups)) for part, groups in known.items()}
        problems = []
        for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
            shared = np.intersect1d(values[first], values[second])
            if len(shared):
                problems.append(
                    f"groups: {len(shared)} are in {first} and in {second} (the first is '{shared[0]}'). "
                    "Put each group into one part, or leave groups out if they may be shared."
                )
        return problems


def official(data: R) -> Splits[R]:
    """Return the parts of the split that comes with the data.

    Raises:
        DataError: there are no labels, or the parts do not fit together.
    """
    if data.labels is None:
        raise DataError(f"{data.name}: cannot split data without labels. Give labels.")
    train, validation, test = (data.subset(data.parts == number) for number in range(len(PARTS)))
    return Splits(train, validation, test, {"how": "given with the data"})


def draw(data: R, seed: int = 0, groups: Any = None, fractions: tuple[float, float, float] | None = None) -> Splits[R]:
    """Return data split into training, validation and test; see `Dataset.split`.

    Raises:
        DataError: there are no labels, too few rows or groups, or the training part lacks something.
    """
    if groups is not None:
        data = data.with_groups(groups)
    if data.labels is None:
        raise DataError(f"{data.name}: cannot split data without labels. Give labels.")
    part = assign(data.labels, data.groups, fractions or FRACTIONS, seed)
    train, validation, test = (data.subset(part == number) for number in range(len(PARTS)))
    how = "stratified by class" + ("" if data.groups is None else ", disjoint in groups")
    return Splits(train, validation, test, {"how": how, "seed": int(seed)})


def check_splits(data: object) -> None:
    """Raise an error for anything that is not data in three parts.

    Raises:
        DataError: it is a whole data set, or something else.
    """
    if not isinstance(data, Splits):
        advice = "Split it first: data.split(seed=0)." if isinstance(data, Rows) else "Make a Dataset and split it."
        raise DataError(f"expected data in three parts (Splits), got {type(data).__name__}. {advice}")
