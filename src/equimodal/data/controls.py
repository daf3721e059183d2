"""Controls of a data set: noise on a modality, modalities that know nothing or nothing new, and missing entries."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from equimodal.config.controls import Absence, Controls, Distractor, Missing
from equimodal.config.problems import problems_of
from equimodal.data import checks
from equimodal.data.columns.random import NoisyColumn, NormalColumn
from equimodal.data.missing import draw_missing
from equimodal.data.modality import Modality
from equimodal.data.rows import R, Rows
from equimodal.errors import ConfigError, did_you_mean
from equimodal.seeds import derive_seed

ROUNDING = 1e-13
"""Deviations below this share of the mean are those of sums of equal numbers."""


def read_controls(
    noise: Mapping[str, Any] | None, distractors: Mapping[str, Any] | None, missing: Mapping[str, Any] | Missing | None
) -> Controls:
    """Return the controls that plain values describe.

    Raises:
        ConfigError: their form is wrong; all mistakes together.
    """
    try:
        said = {"noise": noise or {}, "distractors": distractors or {}, "missing": missing or {}}
        return Controls.model_validate(said)
    except ValidationError as error:
        raise ConfigError(problems_of(error, Controls, "data")) from error


@dataclass(frozen=True)
class Controlled:
    """Parts with controls.

    Args:
        parts: by name, training first.
        deviations: by modality, the standard deviation of its noise.
    """

    parts: dict[str, Any]
    deviations: dict[str, float]


def add_controls(parts: Mapping[str, R], controls: Controls, seed: int) -> Controlled:
    """Return the parts of a data set with noise on some modalities, distractors after the others, and missing entries.

    Random numbers follow from the seed, the modality's name, the part and the number of the row in it: not from
    what the row holds. Copies and shuffled modalities are made of modalities that have their noise already. Entries are
    taken out last, of distractors too.

    Args:
        parts: by name, training first.
        controls: what to add.
        seed: of all random numbers.

    Raises:
        ConfigError: the controls do not fit the data; all mistakes together.
    """
    train = next(iter(parts.values()))
    problems = _noise_problems(train, controls) + _distractor_problems(train, controls)
    if problems := problems + _missing_problems(train, controls):
        raise ConfigError(problems)
    levels = {name: level for name, level in controls.noise.items() if level}  # at 0 nothing changes, no type either
    scales = {name: standard_deviation(train, name) for name in levels}
    if constant := [name for name, scale in scales.items() if scale == 0]:
        raise ConfigError(
            [
                f"data.noise.{name}: every number that the training part holds of '{name}' is the same, so that noise "
                "in units of its standard deviation is none. Leave it out."
                for name in constant
            ]
        )
    deviations = {name: level * scales[name] for name, level in levels.items()}
    made = {part: _with(rows, part, controls, deviations, seed) for part, rows in parts.items()}
    made = {part: _without_missing(rows, part, controls.missing.of(part), seed) for part, rows in made.items()}
    emptied = [
        f"data.missing.train: no training row would keep '{name}'. Give it a smaller rate."
        for name, here in made[next(iter(parts))].present.items()
        if not here.any() and (name not in train.modalities or train.present[name].any())
    ]
    if emptied:
        raise ConfigError(emptied)
    return Controlled(made, deviations)


def standard_deviation(rows: Rows, modality: str) -> float:
    """Return the standard deviation over all numbers that the rows hold of a modality; they are read by chunks.

    Example:
        >>> from equimodal.data.dataset import Dataset
        >>> standard_deviation(Dataset({"a": [[1.0, 3.0], [5.0, 7.0]], "b": [[1.0], [2.0]]}, [0, 1]), "a")  # of 1 3 5 7
        2.23606797749979
    """
    count, mean, squares = 0, 0.0, 0.0
    for chunk in rows.valid(modality):
        values = chunk.astype(np.float64)
        if not values.size:
            continue
        total, difference = count + values.size, float(values.mean()) - mean
        squares += float(((values - values.mean()) ** 2).sum()) + difference**2 * count * values.size / total
        mean += difference * values.size / total
        count = total
    deviation = math.sqrt(squares / count)
    return deviation if deviation > ROUNDING * abs(mean) else 0.0


def _with(rows: R, part: str, controls: Controls, deviations: Mapping[str, float], seed: int) -> R:
    changed = {
        name: replace(
            rows.modality(name),
            column=NoisyColumn(rows.column(name), deviation, derive_seed(seed, "data noise", name, part)),
        )
        for name, deviation in deviations.items()
    }
    rows = rows.with_modalities(changed)
    return rows.with_modalities(
        {
            name: _distractor(rows, distractor, derive_seed(seed, "distractor", name, part))
            for name, distractor in controls.distractors.items()
        }
    )


def _distractor(rows: Rows, distractor: Distractor, seed: int) -> Modality:
    if distractor.kind == "noise":
        return Modality(NormalColumn(len(rows), distractor.size or 1, seed), np.ones(len(rows), bool))
    source = rows.modality(distractor.of or "")
    if distractor.kind == "copy":
        return source
    return source.select(np.random.default_rng(seed).permutation(len(rows)))


def _without_missing(rows: R, part: str, absence: Absence | None, seed: int) -> R:
    if absence is None:
        return rows
    kept = draw_missing(
        np.stack(list(rows.present.values()), axis=1),
        absence,
        rows.modalities,
        seed,
        labels=rows.labels,
        groups=rows.groups,
        classes=len(rows.classes),
        part=part,
    )
    return rows.with_modalities(
        {name: replace(rows.modality(name), present=kept[:, i].copy()) for i, name in enumerate(rows.modalities)}
    )


def _noise_problems(rows: Rows, controls: Controls) -> list[str]:
    problems = []
    for name in controls.noise:
        where = f"data.noise.{name}"
        if name not in rows.modalities:
            distractor = f"'{name}' is a distractor. Noise goes to modalities that the data have."
            problems.append(f"{where}: {distractor if name in controls.distractors else _unknown(rows, name)}")
        elif (spec := rows.specs[name]).kind == "text":
            problems.append(f"{where}: '{name}' is text, and noise needs numbers. Leave it out.")
        elif spec.fields is not None:
            problems.append(f"{where}: '{name}' holds several arrays by name, and noise needs one. Leave it out.")
        elif spec.kind == "tensor" and spec.dtype.kind != "f":
            problems.append(
                f"{where}: '{name}' holds whole numbers of kind 'tensor', which may be token numbers. If they are "
                "quantities, store them as floats or declare another kind."
            )
    return problems


def _distractor_problems(rows: Rows, controls: Controls) -> list[str]:
    problems = []
    for name, distractor in controls.distractors.items():
        where = f"data.distractors.{name}"
        if name in rows.modalities:
            problems.append(f"{where}: {rows.name} has a modality '{name}' already. Give the distractor another name.")
        if distractor.of is not None and distractor.of not in rows.modalities:
            problems.append(f"{where}.of: {_unknown(rows, distractor.of)}")
    return problems + [f"data.distractors: {p}" for p in checks.name_problems(controls.distractors, fewest=0)]


def _missing_problems(rows: Rows, controls: Controls) -> list[str]:
    problems = []
    known = [*rows.modalities, *(name for name in controls.distractors if name not in rows.modalities)]
    for part in ("train", "validation", "test"):
        absence: Absence | None = getattr(controls.missing, part)
        if absence is None:
            continue
        where = f"data.missing.{part}"
        if absence.pattern == "group" and rows.groups is None:
            problems.append(f"{where}.pattern: {rows.name} has no groups, so that no rate can differ by group.")
        if not isinstance(absence.rate, dict):
            continue
        unknown = [name for name in absence.rate if name not in known]
        problems += [f"{where}.rate.{name}: {_unknown(rows, name, known)}" for name in unknown]
        if not absence.one_each and not unknown and all(absence.rate_of(name) == 1 for name in known):
            problems.append(f"{where}.rate: at a rate of 1 for each modality nothing would be left of a row.")
    return problems


def _unknown(rows: Rows, name: str, known: Collection[str] | None = None) -> str:
    return f"{rows.name} has no modality '{name}'.{did_you_mean(name, rows.modalities if known is None else known)}"
