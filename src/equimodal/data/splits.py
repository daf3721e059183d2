"""Training, validation and test part of one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Generic, cast

import numpy as np

from equimodal.config.controls import Controls, Missing
from equimodal.data import checks
from equimodal.data.archive import checksum
from equimodal.data.assignment import PARTS, assign, draw_stratified
from equimodal.data.columns.base import Column, Kind, SelectedColumn
from equimodal.data.controls import add_controls, read_controls
from equimodal.data.identifiers import sortable, sorting
from equimodal.data.rows import R, Rows, concatenate
from equimodal.errors import ConfigError, DataError

FRACTIONS = (0.6, 0.2, 0.2)
"""Shares of the parts where none are asked for."""

PAIRS = tuple(combinations(PARTS, 2))

SAMPLE = 64
"""Rows of each part whose values enter the fingerprint: reading all would cost a pass over a memory map."""

WIDE = 4096
"""Letters of the longest text up to which texts enter the fingerprint as strings of one width."""


class Splits(Generic[R]):
    """Training, validation and test part of one data set.

    Args:
        train: the rows that the model is trained on.
        validation: the rows that decide (selection, steering, early stopping).
        test: the rows whose numbers are reported, measured once.
        provenance: how the parts were made, JSON-safe; sizes and groups are added. `fractions` are the shares that were
            asked for. With labels left out, `pool` is the size of the training part that the labelled rows were drawn
            from.

    Raises:
        DataError: the parts do not fit together or share a row, an id or a group, or training lacks labels, a modality
            or a class that another part has.

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
        self._before: tuple[Splits[R], Controls] | None = None  # the parts without their controls
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
        problems += self._classes_not_in_train() + self._shared_rows() + self._shared_groups()
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
        parts = self.parts()
        widest = {
            name: max(_widest(rows.column(name)) for rows in parts.values())
            for name, kind in self.kinds.items()
            if kind == "text"
        }
        for part, rows in parts.items():
            columns = {"labels": rows.labels, "ids": sortable(rows.ids), **rows.present}
            for name, value in rows.batch(np.arange(min(SAMPLE, len(rows)))).inputs.items():
                for key, values in (value if isinstance(value, dict) else {"": value}).items():
                    plain = np.asarray(values)
                    text = plain.dtype.kind in "OT"
                    columns[f"{name}/{key}"] = _texts(plain, widest[name]) if text else plain
            arrays |= {f"{part}/{name}": np.asarray(column) for name, column in columns.items()}
        return checksum(arrays)[:16]

    def with_settings(
        self,
        split_seed: int | None,
        labels: int | None,
        noise: Mapping[str, Any] | None = None,
        distractors: Mapping[str, Any] | None = None,
        missing: Mapping[str, Any] | Missing | None = None,
    ) -> Splits[R]:
        """Return what the settings in the section `data` of a configuration make of these parts.

        This is the one way from a configuration to rows, in training, in comparisons and when a run is loaded again.

        Args:
            split_seed: draw new parts with this seed; None: keep them.
            labels: keep so many training rows, drawn with the same seed (0 without one); None: all.
            noise: see `with_controls`, which is given the same seed.
            distractors: see `with_controls`.
            missing: see `with_controls`.

        Raises:
            ConfigError: the controls do not fit the data.
            DataError: the parts cannot be drawn, or there are not as many rows.
        """
        found = self if split_seed is None else self.redraw(split_seed)
        # Before labels are left out: validation and test are the same for all their numbers.
        if noise or distractors or missing:
            found = found.with_controls(noise, distractors, missing, seed=split_seed or 0)
        return found if labels is None else found.scarce(labels, split_seed or 0)

    def with_controls(
        self,
        noise: Mapping[str, Any] | None = None,
        distractors: Mapping[str, Any] | None = None,
        missing: Mapping[str, Any] | Missing | None = None,
        *,
        seed: int = 0,
    ) -> Splits[R]:
        """Return the parts with noise on some modalities, modalities that know nothing new, and missing entries.

        Nothing is read but, once, what the training part holds of a modality with noise. A row has the same noise
        whenever it is read. `redraw` draws the rows first, then all controls anew, with its own seed.

        Args:
            noise: by modality, the standard deviation of Gaussian noise in units of the standard deviation of all
                numbers that the training part holds of it. Integers become floats.
            distractors: by the name of a new modality, `{"kind": "noise", "size": 1500}` (vectors of standard normal
                numbers), `{"kind": "copy", "of": name}` (the rows of another modality) or `{"kind": "shuffled", "of":
                name}` (those rows in random order within each part). They come last.
            missing: by part (`train`, which holds for validation too unless `validation` is named, and `test`), a rate
                or a mapping with `rate` (one, or by modality) and `pattern`, see `equimodal.config.controls.Absence`.
                An entry that is missing is absent; no row loses all that it has.
            seed: of all random numbers.

        Raises:
            ConfigError: a modality is not known, is no array of numbers or exists already; a value is not possible; a
                modality would be missing from all training rows; or the parts have controls already.

        Example:
            >>> from equimodal.data.dataset import Dataset
            >>> data = Dataset({"a": np.ones((50, 2)), "b": np.eye(50)}, [0, 1] * 25).split(seed=0)
            >>> harder = data.with_controls({"b": 0.5}, {"static": {"kind": "noise", "size": 9}})
            >>> harder.modalities, harder.train.arrays["static"].shape
            (('a', 'b', 'static'), (30, 9))
            >>> data.with_controls(missing={"test": {"rate": {"b": 1}}}).test.present["b"].any()
            np.False_
        """
        if self._before is not None:
            raise ConfigError("These parts have noise, distractors or missing entries already. Give all at once.")
        controls = read_controls(noise, distractors, missing)
        made = add_controls(self.parts(), controls, seed)
        said = {**controls.model_dump(mode="json"), "deviations": made.deviations, "seed": int(seed)}
        if controls.missing:  # as it came out: every row keeps an entry, and the data may have lacked some before
            said["absent"] = {
                part: {name: round(1 - float(here.mean()), 6) for name, here in rows.present.items()}
                for part, rows in made.parts.items()
            }
        found = Splits(**made.parts, provenance={**self.provenance, "controls": said, "source": None})
        found._before = (self, controls)
        return found

    def redraw(self, seed: int) -> Splits[R]:
        """Return the same rows in new parts, disjoint in groups if there are any.

        The result depends on the rows, on the shares asked for and on the seed, not on the split before. For parts that
        were given, their sizes are the shares.
        """
        if self._before is not None:
            before, controls = self._before
            return before.redraw(seed).with_controls(controls.noise, controls.distractors, controls.missing, seed=seed)
        whole = concatenate(list(self.parts().values()))
        train, validation, test = (len(data) / len(whole) for data in self.parts().values())
        drawn = draw(whole, seed, fractions=self.provenance.get("fractions") or (train, validation, test))
        provenance = {**self.provenance, **drawn.provenance, "source": None}
        provenance.pop("pool", None)  # labels left out before are no rows of the new training part
        return Splits(drawn.train, drawn.validation, drawn.test, provenance)

    def scarce(self, labels: int, seed: int) -> Splits[R]:
        """Return the split with `labels` training rows only: stratified, at least one of each class.

        Raises:
            DataError: fewer rows than classes, or more than there are, are asked for.
        """
        rows = draw_stratified(cast(np.ndarray, self.train.labels), labels, seed)
        scarce = {"labels": int(labels), "seed": int(seed)}
        pool = self.provenance.get("pool", len(self.train))
        provenance = {**self.provenance, "scarce": scarce, "pool": pool, "source": None}
        provenance.pop("fractions", None)  # they were those of the whole training part
        found = Splits(self.train.subset(rows), self.validation, self.test, provenance)
        if self._before is not None:
            before, controls = self._before
            found._before = (before.scarce(labels, seed), controls)
        return found

    def _group_column(self) -> np.ndarray:
        return np.concatenate([cast(np.ndarray, data.groups) for data in self.parts().values()])

    def _classes_not_in_train(self) -> list[str]:
        """Return a message for each part with rows of a class that training has no row of."""
        problems = []
        for part, data in self.parts().items():
            if self.train.labels is None or data.labels is None or not len(self.train):
                continue
            unseen = [data.classes[number] for number in np.setdiff1d(data.labels, self.train.labels)]
            if unseen:
                problems.append(
                    f"train: holds no row of {'class' if len(unseen) == 1 else 'classes'} {', '.join(unseen)}, but "
                    f"{part} does. Move some of those rows to train, or leave them out."
                )
        return problems

    def _shared_rows(self) -> list[str]:
        """Return a message for each pair of parts with a row, or a given id, in both."""
        problems = []
        for first, second in PAIRS:
            one, other = self.parts()[first], self.parts()[second]
            rows = np.flatnonzero(np.isin(one.origin, other.origin))
            what = "rows of one data set"
            if not len(rows) and one.ids.dtype.kind == other.ids.dtype.kind == "U":
                rows, what = np.flatnonzero(np.isin(one.ids, other.ids)), "ids"
            if len(rows):
                problems.append(
                    f"{what}: {len(rows)} are in {first} and in {second} (the first has the id '{one.ids[rows[0]]}'). "
                    "Put each row into one part: data.split(seed=0) draws them."
                )
        return problems

    def _shared_groups(self) -> list[str]:
        known = {part: data.groups for part, data in self.parts().items()}
        without = [part for part, groups in known.items() if groups is None]
        if without:
            return (
                [] if len(without) == len(known) else [f"{', '.join(without)}: no groups, the other parts have some."]
            )
        values = {part: np.unique(cast(np.ndarray, groups)) for part, groups in known.items()}
        problems = []
        for first, second in PAIRS:
            shared = np.intersect1d(values[first], values[second])
            if len(shared):
                problems.append(
                    f"groups: {len(shared)} are in {first} and in {second} (the first is '{shared[0]}'). "
                    "Put each group into one part, or leave groups out if they may be shared."
                )
        return problems


def _widest(column: Column) -> int:
    """Return the length of the longest text of a whole data set: a checksum of fixed-width strings holds it."""
    whole = column.source if isinstance(column, SelectedColumn) else column
    return int(np.max(whole.sizes(), initial=1))


def _texts(values: np.ndarray, widest: int) -> np.ndarray:
    """Return texts for a checksum: of fixed width, unless one long text would make all of them wide."""
    if widest <= WIDE:
        return values.astype(f"U{widest}")
    return np.frombuffer("\0".join(values.tolist()).encode("utf-8", "surrogatepass"), np.uint8)


def official(data: R) -> Splits[R]:
    """Return the parts of the split that comes with the data.

    Raises:
        DataError: there are no labels, or the parts do not fit together.
    """
    if data.labels is None:
        raise DataError(f"{data.name}: cannot split data without labels. Give labels.")
    train, validation, test = (data.subset(data.parts == number) for number in range(len(PARTS)))
    return Splits(train, validation, test, {"how": "given with the data"})


def draw(data: R, seed: int = 0, groups: Any = None, fractions: Sequence[float] | None = None) -> Splits[R]:
    """Return data split into training, validation and test; see `Dataset.split`.

    The rows are put in the order of their ids first, so that the same rows give the same parts in whatever order they
    come.

    Raises:
        DataError: there are no labels, too few rows or groups, or the training part lacks something.
    """
    if groups is not None:
        data = data.with_groups(groups)
    if data.labels is None:
        raise DataError(f"{data.name}: cannot split data without labels. Give labels.")
    shares = tuple(fractions or FRACTIONS)
    data = data.subset(sorting(data.ids))
    part = assign(cast(np.ndarray, data.labels), data.groups, shares, seed)
    train, validation, test = (data.subset(part == number) for number in range(len(PARTS)))
    how = "stratified by class" + ("" if data.groups is None else ", disjoint in groups")
    return Splits(train, validation, test, {"how": how, "seed": int(seed), "fractions": [float(s) for s in shares]})


def check_splits(data: object) -> None:
    """Raise an error for anything that is not data in three parts.

    Raises:
        DataError: it is a whole data set, or something else.
    """
    if not isinstance(data, Splits):
        advice = "Split it first: data.split(seed=0)." if isinstance(data, Rows) else "Make a Dataset and split it."
        raise DataError(f"expected data in three parts (Splits), got {type(data).__name__}. {advice}")
