"""The result of an analysis in one setting: the numbers of its arms, and of groups of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from equimodal.analyses.arms import Arm, Group
from equimodal.comparison.comparison import Comparison
from equimodal.statistics.estimates import Estimate, estimate, paired


@dataclass(frozen=True)
class SettingResult:
    """The result of an analysis in one setting, for all recipes or one.

    Args:
        comparison: the numbers of the runs.
        arms: its methods.
        left_out: what could not be made, and why.
        readings: what was read from an arm's runs, by its label, in the order of the seeds; empty for a run that
            diverged.
    """

    comparison: Comparison
    arms: tuple[Arm, ...]
    left_out: tuple[str, ...]
    readings: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def recipes(self) -> tuple[str, ...]:
        """Labels of the recipes."""
        return tuple(dict.fromkeys(arm.recipe for arm in self.arms))

    def only(self, recipe: str) -> SettingResult:
        """Return the result for one recipe."""
        return replace(self, arms=tuple(arm for arm in self.arms if arm.recipe == recipe))

    def levels(self, factor: str) -> tuple[str, ...]:
        """Return the values of a factor, in the order of the arms."""
        return tuple(dict.fromkeys(arm.factors[factor] for arm in self.arms))

    def group(self, **factors: str) -> Group:
        """Return the labels of the arms with these factors."""
        return tuple(arm.label for arm in self.arms if factors.items() <= arm.factors.items())

    def values(self, group: Group, column: str) -> list[float | None]:
        """Return one number per seed: the mean over those arms of a group in which it is defined.

        Args:
            group: labels of arms.
            column: of the comparison, or a number of the readings.
        """
        each = [
            [reading.get(column) for reading in self.readings[label]]
            if column not in self.comparison.columns
            else self.comparison.values(label, column)
            for label in group
        ]
        known = [[value for value in seed if value is not None] for seed in zip(*each, strict=True)]
        return [float(np.mean(values)) if values else None for values in known]

    def summary(self, group: Group, column: str) -> Estimate:
        """Return what the seeds say about a column; see `Comparison.summary`."""
        found = estimate(self.values(group, column), self.comparison.overlap)
        return self.comparison.resampled(found, self._right(group)) if column == "accuracy" else found

    def difference(self, group: Group, against: Group, column: str, other: str | None = None) -> Estimate:
        """Return what the seeds say about the paired difference of two groups, in one column or two.

        Args:
            group: labels of arms.
            against: labels of others, or the same.
            column: of the group.
            other: of the others; None: the same.
        """
        values = paired(self.values(group, column), self.values(against, other or column))
        found = estimate(values, self.comparison.overlap)
        one, two = self._right(group), self._right(against)
        if column != "accuracy" or other is not None or one is None or two is None:
            return found
        return self.comparison.resampled(found, one - two)

    def _right(self, group: Group) -> np.ndarray | None:
        known = [self.comparison.right(label) for label in group]
        if any(right is None for right in known):
            return None
        return np.mean(cast(list[np.ndarray], known), axis=0)
