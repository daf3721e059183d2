"""The measures of features as tables, sentences and figures name them, and what a result holds of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

from equimodal.analyses.arms import Arm
from equimodal.analyses.feature_reading import FUSED, LOGITS
from equimodal.analyses.result import SettingResult


class Measure(NamedTuple):
    """A measure: its key, its name, how to read it, digits, whether it is of two modalities, what is possible."""

    key: str
    words: str
    reading: str
    digits: int
    of_pairs: bool
    limits: tuple[float, float]


MEASURES = (
    Measure(
        "silhouette",
        "silhouette",
        "By class, at most 1; higher where classes are further apart, below 0 where they mix.",
        3,
        False,
        (-1.0, 1.0),
    ),
    Measure(
        "davies_bouldin",
        "Davies-Bouldin index",
        "By class, from 0; lower where classes are further apart.",
        2,
        False,
        (0.0, math.inf),
    ),
    Measure(
        "calinski_harabasz",
        "Calinski-Harabasz index",
        "By class, from 0; higher where classes are further apart. It grows with the number of rows.",
        1,
        False,
        (0.0, math.inf),
    ),
    Measure("cka", "CKA of modalities", "Linear, from 0 to 1: the same up to rotation and scale.", 3, True, (0.0, 1.0)),
    Measure(
        "gap",
        "modality gap",
        "Distance of the centroids on the unit sphere, from 0 to 2. It says something only where modalities share "
        "a space, as where one head reads them all.",
        3,
        True,
        (0.0, 2.0),
    ),
)


def kept_of(result: SettingResult, arm: Arm) -> Mapping[str, Any] | None:
    """Return what the first run of a method that did not diverge says of what it kept; None: all diverged."""
    return next((reading["kept"] for reading in result.readings[arm.label] if reading), None)


def epochs_of(result: SettingResult) -> list[int]:
    """Return the epochs whose encodings the runs were to keep."""
    return next(kept["epochs"] for arm in result.arms if (kept := kept_of(result, arm)) is not None)


def spaces_by_arm(result: SettingResult) -> dict[str, list[str]]:
    """Return the spaces that each method has, by its label; those of a method whose every run diverged are none."""
    found = {arm.label: kept_of(result, arm) for arm in result.arms}
    return {label: [] if kept is None else kept["spaces"] for label, kept in found.items()}


def places_of(result: SettingResult, measure: Measure) -> dict[str, list[Arm]]:
    """Return what a measure is of, spaces or pairs of modalities, and the methods that have it."""
    if measure.of_pairs:
        names = [f"{one}+{other}" for one, other in combinations(result.comparison.modalities, 2)]
        return {name: list(result.arms) for name in names}
    spaces = spaces_by_arm(result)
    names = dict.fromkeys(name for each in spaces.values() for name in each if name not in (FUSED, LOGITS))
    names |= {name: None for name in (FUSED, LOGITS) if any(name in each for each in spaces.values())}
    return {name: [arm for arm in result.arms if name in spaces[arm.label]] for name in names}


def in_words(place: str, measure: Measure) -> str:
    """Return what a measure is of, in words.

    Example:
        >>> in_words("image+text", MEASURES[3])
        'image and text'
    """
    return " and ".join(place.split("+")) if measure.of_pairs else place
