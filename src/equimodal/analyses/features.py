"""How encodings change while a method trains: each modality's and the fused ones, at chosen epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from equimodal.analyses.arms import Arm
from equimodal.analyses.base import Analysis
from equimodal.analyses.feature_figures import feature_charts
from equimodal.analyses.feature_reading import FUSED, LOGITS, read_features
from equimodal.analyses.feature_tables import feature_sentences, feature_tables
from equimodal.analyses.projections import check_projections
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import SMALLEST, TableRow, arm_rows, make_table, scores
from equimodal.config.method import MethodSpec
from equimodal.data.splits import Splits
from equimodal.display.charts import Chart
from equimodal.errors import ConfigError
from equimodal.tables.table import Table
from equimodal.training.run import Run

PROJECTIONS = ("pca", "tsne")
POINTS = 24_000
"""Points of all figures of a page together: it stays below a megabyte."""


class Features(Analysis):
    """Measures and projections of the encodings that runs keep at chosen epochs; the first method is the reference.

    Args:
        recipes: the methods.
        projections: names, see `equimodal.analyses.projections.WORDS`.
        seed: whose runs the figures of points show: the first seed.
        settings: number of settings, which share the page.

    Raises:
        ConfigError: a projection is unknown, or what it needs is not installed.
    """

    kind = "features"
    title = "Features over epochs"
    methods = None
    overall_columns: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        recipes: Sequence[MethodSpec],
        projections: Sequence[str] = PROJECTIONS,
        seed: int = 0,
        settings: int = 1,
    ) -> None:
        super().__init__(recipes)
        check_projections(projections)
        self.projections = tuple(dict.fromkeys(projections))
        self.seed = seed
        self.most = POINTS // (settings * len(self.recipes))

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return the methods as they are.

        Raises:
            ConfigError: a modality has the name of something else that is shown.
        """
        if taken := [name for name in modalities if name in (FUSED, LOGITS)]:
            raise ConfigError(
                f"analyse features: the data have a modality '{taken[0]}', which is what the figures call something "
                "made of all modalities. Give the modality another name."
            )
        first = self.recipes[0].label
        return [
            Arm(recipe, "all methods", {"method": recipe.label}, None if recipe.label == first else first)
            for recipe in self.recipes
        ], []

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return the measures of every epoch that was kept, and in the first seed the points of the figures."""
        if run.config.seed != self.seed:
            return read_features(run)
        return read_features(run, self.projections, self.most)

    @staticmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return one row per method."""
        return arm_rows(result)

    @staticmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables: each measure by epoch, differences to the first method, accuracy and balance."""
        rows = arm_rows(result)
        against = f"Set against {rows[0].name}; paired by seed. " if len(rows) > 1 else ""
        balance = make_table("Accuracy and balance", f"On test. {against}{SMALLEST}", rows, *scores(result, rows))
        return [*feature_tables(result), balance]

    @staticmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return the points of each method and projection, and every measure over epochs."""
        return feature_charts(result)

    @staticmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return what the measures say of each method, and what there is not."""
        return feature_sentences(result)
