"""What an analysis is: the methods it makes of a recipe, what it reads from each run, its tables and figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast

from equimodal.analyses.arms import METHODS, Arm
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import TableRow
from equimodal.config.method import MethodSpec
from equimodal.data.splits import Splits
from equimodal.display.charts import Chart
from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.fusions.chain import ChainFusion
from equimodal.tables.table import Table
from equimodal.training.run import Run


class Analysis(ABC):
    """Which arms an analysis has, what it reads from their runs, and how its result is shown.

    An instance is made for each command. How a result is shown needs no instance, only a `SettingResult`.

    Args:
        recipes: what is analysed.

    Raises:
        ConfigError: if one of them is a method that this analysis does not take.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    methods: ClassVar[Sequence[str] | None] = METHODS
    """Names of the methods that can be analysed; None: all."""
    overall_columns: ClassVar[Mapping[str, str]] = {"missing_mean": "some missing"}
    """Columns shown over all settings in addition to the scores, with their headers."""

    def __init__(self, recipes: Sequence[MethodSpec]) -> None:
        problems = [
            f"analyse {self.kind}: '{recipe.label}' is no recipe of {' or '.join(METHODS)}, which alone have an order, "
            f"a mapping and a memory. Name one that is with -m, for instance -m {METHODS[0]} -m {METHODS[1]}."
            for recipe in recipes
            if self.methods is not None and recipe.name not in self.methods
        ]
        if problems:
            raise ConfigError(problems)
        self.recipes = tuple(recipes)

    @abstractmethod
    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return the methods to train on such data, and what was left out with the reason."""

    @abstractmethod
    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return what the analysis needs of a finished run in addition to its measurements, JSON-safe."""

    @staticmethod
    @abstractmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return the rows that mean the same in every setting: they are shown over all of them."""

    @staticmethod
    @abstractmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables of one recipe in one setting."""

    @staticmethod
    @abstractmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return the figures of one recipe in one setting."""

    @staticmethod
    @abstractmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return what the tables say, in plain words."""


def name_problems(option: str, what: str, names: Sequence[str], known: Collection[str]) -> list[str]:
    """Return what is wrong with the names that an option lists: unknown ones, and those that are there twice.

    Example:
        >>> name_problems("--parts", "part", ["order", "order"], ["memory", "order"])
        ['--parts: order is there twice.']
    """
    unknown = [name for name in names if name not in known]
    problems = [f"{option}: unknown {what} '{name}'.{did_you_mean(name, known)}" for name in unknown]
    return problems + [f"{option}: {one} is there twice." for one, two in pairwise(sorted(names)) if one == two]


def chain_fusion(run: Run) -> ChainFusion:
    """Return the run's fusion, which passes the memory along."""
    return cast(ChainFusion, run.model.fusion)
