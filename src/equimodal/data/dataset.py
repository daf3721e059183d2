"""Samples of several modalities as arrays, as users give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from equimodal.data import checks
from equimodal.data.assignment import part_numbers
from equimodal.data.identifiers import as_text
from equimodal.data.labels import class_names, encode_labels
from equimodal.data.modality import Modality, read_modality
from equimodal.data.rows import Rows
from equimodal.data.splits import Splits, draw, official
from equimodal.errors import DataError, did_you_mean


class Dataset(Rows):
    """Samples of several modalities in memory, or memory-mapped.

    A row that is NaN or masked throughout, an empty string, or None in a list means that the sample lacks the modality:
    missing values are presence, never numbers. A row that is NaN or masked in places is an error.

    Nothing is read twice or kept in memory that lies on disk: of a memory map only those rows are read that a batch or
    a statistic needs.

    Args:
        arrays: for each modality an array (N, ...), a tensor, a list of strings, a list of (T_i, F) arrays of
            differing T, a dict of arrays, or a column (`equimodal.data.columns`). Floats of any width and integers are
            kept as stored.
        labels: whole numbers or strings (N,); None where there are none (prediction).
        lengths: for sequences, valid time steps (N,); what lies beyond is padding and never looked at.
        present: for each modality bool (N,), False where the sample lacks it.
        classes: class names in order; by default the distinct labels, sorted.
        ids: what identifies each row (N,), kept as text; by default 0 to N - 1.
        groups: what must not be shared between training and test (N,), for instance the subject; kept as text.
        split: the official split: for each row 0, 1 or 2, or "train", "validation" or "test" (N,).
        kinds: "vector", "sequence", "image", "video", "text" or "tensor", where the inferred kind is wrong.
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
        split: Any = None,
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
        problems += checks.masked_problems({"labels": labels, "ids": ids, "groups": groups, "split": split})
        for option, given in {"lengths": lengths, "present": present}.items():
            problems += checks.masked_problems({f"{option} of {key}": values for key, values in given.items()})
        checks.raise_problems(problems)

        columns: dict[str, Modality] = {}
        for modality, value in arrays.items():
            try:
                columns[modality], found = read_modality(
                    modality, value, kinds.get(modality), present.get(modality), lengths.get(modality)
                )
                problems += found
            except DataError as error:
                problems.append(str(error))
        count, found = checks.count_rows({name: len(column.present) for name, column in columns.items()})
        problems += found
        identities, together, numbers, names = np.arange(count), None, None, ()
        try:
            numbers, names = (
                encode_labels(labels, classes) if labels is not None else (None, class_names(classes or ()))
            )
        except DataError as error:
            problems.append(str(error))
        try:
            identities = identities if ids is None else as_text("ids", ids)
        except DataError as error:
            problems.append(str(error))
        try:
            together = None if groups is None else as_text("groups", groups)
        except DataError as error:
            problems.append(str(error))
        parts: np.ndarray | None = None
        if split is not None and not found:
            try:
                parts = part_numbers(split, count)
            except DataError as error:
                problems.append(str(error))
        if not found:
            problems += checks.column_problems({"labels": numbers, "ids": identities, "groups": together}, count)
        problems += checks.identity_problems(identities)
        super().__init__(name, columns, identities, numbers, names, together, parts)
        problems += self.absence_problems() if labels is not None and not problems else []
        checks.raise_problems(problems)

    def split(
        self,
        seed: int | None = None,
        groups: Any = None,
        fractions: tuple[float, float, float] | None = None,
    ) -> Splits[Self]:
        """Split into training, validation and test.

        With a seed the parts are drawn: stratified by class, disjoint in groups if there are any. Without one they
        are those of the official split (`split=` of the data set), or drawn with seed 0 where there is none.

        Args:
            seed: which split; None for the official one.
            groups: what must not be shared between parts (N,), by default the data set's own groups.
            fractions: sizes of the three parts, as shares of the whole, by default (.6, .2, .2).

        Raises:
            DataError: there are no labels, there are too few rows or groups, the training part lacks something, or
                `fractions` are given for an official split.
        """
        if seed is not None or self.parts is None:
            return draw(self, seed or 0, groups, fractions)
        if fractions is not None:
            raise DataError(
                f"{self.name}: the official split has sizes of its own. Leave fractions out, or give a seed to draw "
                "new parts: split(seed=0, fractions=...)."
            )
        return official(self if groups is None else self.with_groups(groups))
