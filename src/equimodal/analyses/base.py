"""What an analysis is: which methods it makes of a recipe, what it reads from each run, and how it is laid out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np

from equimodal.comparison.comparison import Comparison
from equimodal.config.method import MethodSpec, parse_method
from equimodal.config.yaml import merge, nest
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.models.fusions.memory import MemoryFusion
from equimodal.statistics.estimates import Estimate, estimate, paired
from equimodal.tables.table import Table
from equimodal.training.names import NAMES
from equimodal.training.run import Run

METHOD = "equilibrium"
"""The method that is analysed; its recipes differ in their options."""

Group = tuple[str, ...]
"""Labels of arms whose numbers are averaged seed by seed."""


@dataclass(frozen=True)
class Line:
    """A row of a table.

    Args:
        name: what stands at its head.
        group: the arms whose numbers are averaged in it.
        against: those that they are set against; empty where the row is what others are set against.
    """

    name: str
    group: Group
    against: Group = ()


@dataclass(frozen=True)
class Arm:
    """One method of an analysis.

    Args:
        method: what is trained.
        recipe: label of the recipe that it is made of.
        factors: what was varied, in words.
        against: label of the arm that it is set against; None for one that others are set against.
    """

    method: MethodSpec
    recipe: str
    factors: dict[str, str]
    against: str | None = None

    @property
    def label(self) -> str:
        """What the arm is called, in tables and as a folder."""
        return self.method.label

    @property
    def words(self) -> str:
        """What was varied: what tables of one recipe call the arm."""
        return ", ".join(self.factors.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the arm as JSON-safe values."""
        return {**vars(self), "method": self.method.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Arm:
        """Return the arm that :meth:`to_dict` wrote."""
        return cls(**{**plain, "method": MethodSpec(**plain["method"])})


def make_arm(
    recipe: MethodSpec, factors: Mapping[str, str], options: Mapping[str, Any], against: str | None = None
) -> Arm:
    """Return the recipe with other options, labelled by what was varied.

    Args:
        recipe: the method.
        factors: what is varied, in words.
        options: values by dotted key.
        against: label of the arm that it is set against.

    Raises:
        ConfigError: the method refuses the options.

    Example:
        >>> make_arm(parse_method("equilibrium"), {"strategy": "random"}, {"order": "random"}).label
        'equilibrium, random'
    """
    label = ", ".join([recipe.label, *factors.values()])
    content = {"name": recipe.name, "label": label, **merge(recipe.options, nest(options))}
    return Arm(parse_method(content, where=label, names=NAMES), recipe.label, dict(factors), against)


@dataclass(frozen=True)
class Found:
    """What an analysis found in one setting, of all recipes or one.

    Args:
        comparison: the runs' numbers.
        arms: its methods.
        left_out: what could not be made, and why.
        readings: by arm's label what was read from its runs, in the order of the seeds.
    """

    comparison: Comparison
    arms: tuple[Arm, ...]
    left_out: tuple[str, ...]
    readings: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def recipes(self) -> tuple[str, ...]:
        """Labels of the recipes."""
        return tuple(dict.fromkeys(arm.recipe for arm in self.arms))

    def only(self, recipe: str) -> Found:
        """Return what was found of one recipe."""
        return replace(self, arms=tuple(arm for arm in self.arms if arm.recipe == recipe))

    def levels(self, factor: str) -> tuple[str, ...]:
        """Return the values that a factor takes, in the order of the arms."""
        return tuple(dict.fromkeys(arm.factors[factor] for arm in self.arms))

    def group(self, **factors: str) -> Group:
        """Return the labels of the arms with these factors."""
        return tuple(arm.label for arm in self.arms if factors.items() <= arm.factors.items())

    def values(self, group: Group, column: str) -> list[float | None]:
        """Return a number a seed: the mean over a group of the arms that it is defined in.

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
        """Return what the seeds say about a column; see :meth:`Comparison.summary`."""
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


class Analysis(ABC):
    """Which arms an analysis has, what it reads from their runs, and how that is told.

    An analysis is made anew for each command; what it found is told by its class alone, from a :class:`Found`.

    Args:
        recipes: what is analysed.

    Raises:
        ConfigError: one of them is another method.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    also: ClassVar[Mapping[str, str]] = {"missing_mean": "some missing"}
    """Columns that are told over all settings beside the scores, with what tables call them."""

    def __init__(self, recipes: Sequence[MethodSpec]) -> None:
        problems = [
            f"analyse {self.kind}: '{recipe.label}' is no recipe of {METHOD}, which alone has an order, a mapping and "
            f"a memory. Name one that is with -m, for instance -m {METHOD} -m paper."
            for recipe in recipes
            if recipe.name != METHOD
        ]
        if problems:
            raise ConfigError(problems)
        self.recipes = tuple(recipes)

    @abstractmethod
    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return the methods to train on such data, and what was left out with the reason."""

    @abstractmethod
    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return what is to be known of a finished run beside its measurements, JSON-safe."""

    @staticmethod
    @abstractmethod
    def lines(found: Found) -> list[Line]:
        """Return the rows that stand for the same in every setting: what is told over all of them."""

    @staticmethod
    @abstractmethod
    def blocks(found: Found) -> list[Table]:
        """Return the tables of one recipe in one setting."""

    @staticmethod
    @abstractmethod
    def sentences(found: Found) -> list[str]:
        """Return what they say, in plain words."""


def memory_fusion(run: Run) -> MemoryFusion:
    """Return the run's fusion, which passes the memory along."""
    return cast(MemoryFusion, run.model.fusion)
