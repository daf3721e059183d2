"""The measures of features as tables and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, pairwise

from equimodal.analyses.arms import Arm
from equimodal.analyses.feature_numbers import MEASURES, Measure, epochs_of, in_words, places_of, spaces_by_arm
from equimodal.analyses.feature_reading import FUSED
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import difference_in_words
from equimodal.statistics.estimates import Estimate
from equimodal.tables.estimates import difference_cell, mean_cell
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import join_names, number

_MOST_COLUMNS = 6  # pairs of epochs in a table; runs.csv has all


def feature_tables(result: SettingResult) -> list[Table]:
    """Return a table of each measure by epoch, of how alike epochs are, and of differences to the first method."""
    differences = [] if len(result.arms) == 1 else [_differences(result)]
    return [*differences, *(_by_epoch(result, measure) for measure in MEASURES), _between_epochs(result)]


def _by_epoch(result: SettingResult, measure: Measure) -> Table:
    rows = [(arm, place) for place, arms in places_of(result, measure).items() for arm in arms]
    columns = [
        Column(
            f"epoch {epoch}",
            tuple(_mean(result, arm, f"{measure.key}.{place}.{epoch}", measure.digits) for arm, place in rows),
        )
        for epoch in epochs_of(result)
    ]
    title = f"{measure.words[0].upper()}{measure.words[1:]}"
    labels = tuple(_label(result, arm, in_words(place, measure)) for arm, place in rows)
    return Table(title, f"On validation rows. {measure.reading}", labels, tuple(columns), "encodings")


def _between_epochs(result: SettingResult) -> Table:
    epochs = epochs_of(result)
    pairs = list(combinations(epochs, 2))
    if len(pairs) > _MOST_COLUMNS:
        pairs = [*pairwise(epochs), (epochs[0], epochs[-1])]
    rows = [(arm, place) for place, arms in places_of(result, MEASURES[0]).items() for arm in arms]
    columns = [
        Column(
            f"epochs {one} and {other}", tuple(_mean(result, arm, f"cka.{place}.{one}-{other}") for arm, place in rows)
        )
        for one, other in pairs
    ]
    note = "Linear CKA of the same rows after two epochs; 1: the same up to rotation and scale."
    labels = tuple(_label(result, arm, place) for arm, place in rows)
    return Table("CKA of epochs", note, labels, tuple(columns), "encodings")


def _differences(result: SettingResult) -> Table:
    first, *others = result.arms
    last = epochs_of(result)[-1]
    rows = [
        (measure, place)
        for measure in MEASURES
        for place, arms in places_of(result, measure).items()
        if first in arms and len(arms) > 1
    ]
    columns = []
    for arm in others:
        cells = [
            difference_cell(asdict(_difference(result, arm, first, measure, place, last)), measure.digits)
            if arm in places_of(result, measure)[place]
            else difference_cell(None)
            for measure, place in rows
        ]
        columns.append(Column(arm.words, tuple(cells)))
    labels = tuple(f"{measure.words}: {in_words(place, measure)}" for measure, place in rows)
    note = f"Less {first.words}, paired by seed. What only one of two methods has is left out."
    return Table(f"Differences after epoch {last}", note, labels, tuple(columns), "measure")


def _difference(result: SettingResult, arm: Arm, against: Arm, measure: Measure, place: str, epoch: int) -> Estimate:
    return result.difference((arm.label,), (against.label,), f"{measure.key}.{place}.{epoch}")


def _mean(result: SettingResult, arm: Arm, column: str, digits: int = 3) -> Cell:
    return mean_cell(asdict(result.summary((arm.label,), column)), digits)


def _label(result: SettingResult, arm: Arm, words: str) -> str:
    return words if len(result.arms) == 1 else f"{words}, {arm.words}"


def feature_sentences(result: SettingResult) -> list[str]:
    """Return how the measures change from the first epoch to the last, differences of methods, and what is missing."""
    epochs = epochs_of(result)
    said = [
        f"{arm.words}, epoch {epochs[0]} to {epochs[-1]}: {'; '.join(_changes(result, arm, epochs))}."
        for arm in result.arms
    ]
    silhouettes, first = MEASURES[0], result.arms[0]
    for arm in result.arms[1:]:
        shared = [place for place, arms in places_of(result, silhouettes).items() if arm in arms and first in arms]
        each = [
            f"{place} {difference_in_words(_difference(result, arm, first, silhouettes, place, epochs[-1]))}"
            for place in shared
        ]
        said.append(f"{arm.words} against {first.words}, silhouette after epoch {epochs[-1]}: {'; '.join(each)}.")
    spaces = spaces_by_arm(result)
    without = [arm.words for arm in result.arms if spaces[arm.label] and FUSED not in spaces[arm.label]]
    if without:
        said.append(
            f"No single layer makes the decision of {join_names(without)}: the fused encodings are the logits there. "
            "Logits are what methods can be compared by."
        )
    return said + _ended_before(result, epochs)


def _changes(result: SettingResult, arm: Arm, epochs: Sequence[int]) -> list[str]:
    found = []
    for measure in (MEASURES[0], *MEASURES[3:]):
        each = [
            f"{in_words(place, measure)} {_ends(result, arm, f'{measure.key}.{place}', epochs, measure.digits)}"
            for place, arms in places_of(result, measure).items()
            if arm in arms
        ]
        if each:
            found.append(f"{measure.words}: {', '.join(each)}")
    return found


def _ends(result: SettingResult, arm: Arm, key: str, epochs: Sequence[int], digits: int) -> str:
    means = [result.summary((arm.label,), f"{key}.{epoch}").mean for epoch in (epochs[0], epochs[-1])]
    return " to ".join("undefined" if mean is None else number(mean, digits) for mean in means)


def _ended_before(result: SettingResult, epochs: Sequence[int]) -> list[str]:
    said = []
    for arm in result.arms:
        for seed, reading in zip(result.comparison.seeds, result.readings[arm.label], strict=True):
            left = [str(epoch) for epoch in epochs if reading and epoch not in reading["kept"]["reached"]]
            if left:
                said.append(
                    f"{arm.words}, seed {seed}, ended before epoch {join_names(left)}: its numbers are undefined there."
                )
    return said
