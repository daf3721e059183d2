"""Does the threshold of the sample-level mapping matter, and does it keep anything at all?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from equimodal.analyses.arms import Arm, make_arm
from equimodal.analyses.base import Analysis, chain_fusion
from equimodal.analyses.charts import LIMITS, SPREAD, arm_differences_chart, arm_values_chart, estimate_mark
from equimodal.analyses.kept import kept_correlations
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import (
    SCORES,
    SMALLEST,
    TableRow,
    arm_rows,
    differences,
    make_table,
    means,
    scores,
    scores_in_words,
)
from equimodal.config.method import MethodSpec
from equimodal.data.splits import Splits
from equimodal.display.charts import INK, Chart, Entry, Row, RowChart, Style, modality_styles
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.methods.paper import AlignedMappingConfig
from equimodal.methods.scheduled import ScheduledConfig
from equimodal.tables.table import Table
from equimodal.tables.words import join_names, number
from equimodal.training.run import Run

VALUES = (0.1, 0.3, 0.5, 0.7, 0.9)
ALIGNMENT = 0.1
"""Weight of the alignment term for a recipe without one."""
OFF = "no tau"
"""Name of the arm in which the sample level is switched off: the reference of the others."""
INERT = 0.001
"""Share of the correlations below which a threshold is called inert (ours)."""


class Tau(Analysis):
    """The threshold of the sample-level mapping at several values, with the alignment term (if there is one) or not.

    Args:
        recipes: what is analysed.
        values: of `mapping.tau`.

    Raises:
        ConfigError: if a recipe is of another method or has no mapping, or a value is out of range or given twice.
    """

    kind = "tau"
    title = "Threshold of the mapping"

    def __init__(self, recipes: Sequence[MethodSpec], values: Sequence[float] = VALUES) -> None:
        super().__init__(recipes)
        problems = [
            f"analyse tau: '{recipe.label}' has no memory, and so no mapping. Set memory.enabled=true."
            for recipe in recipes
            if not _config(recipe).memory.enabled
        ]
        problems += [f"--values: expected numbers above 0 and up to 1, got {v:g}." for v in values if not 0 < v <= 1]
        if not values:
            problems.append("--values: expected some numbers, got none.")
        problems += [f"--values: {one:g} is there twice." for one, two in pairwise(sorted(values)) if one == two]
        if problems:
            raise ConfigError(problems)
        self.tau_values = tuple(sorted(values))

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return each value and the sample level switched off, for each weight of the alignment term."""
        made = []
        for recipe in self.recipes:
            for weight in _weights(recipe):
                term = f"alignment {weight:g}" if weight else "no alignment"
                fixed = {} if weight is None else {"mapping.alignment": weight}
                base = make_arm(recipe, {"term": term, "tau": OFF}, {**fixed, "mapping.sample": False})
                made.append(base)
                for value in self.tau_values:
                    options = {**fixed, "mapping.sample": True, "mapping.tau": value}
                    made.append(make_arm(recipe, {"term": term, "tau": f"tau {value:g}"}, options, base.label))
        return made, []

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return the share of correlations that the run's threshold keeps, on training batches."""
        train = run.model.prepare(data().train, run.cache())
        return kept_correlations(run.model, chain_fusion(run), train, run.config.training.batch_size, run.config.seed)

    @staticmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return one row per arm."""
        return arm_rows(result)

    @staticmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables: accuracy and balance, modalities alone, and what the threshold keeps."""
        rows, names = arm_rows(result), result.comparison.modalities
        swept = [row for row in rows if row.against]
        against = "Set against the same recipe with the sample level switched off; paired by seed."
        return [
            make_table("Accuracy and balance", f"{against} {SMALLEST}", rows, *scores(result, rows)),
            make_table(
                "Modalities alone",
                f"Accuracy on test where only one modality is there. {against}",
                rows,
                *(
                    column
                    for name in names
                    for column in (
                        means(result, rows, f"unimodal.{name}", name),
                        differences(result, rows, f"unimodal.{name}", f"{name}: difference"),
                    )
                ),
            ),
            make_table(
                "What the threshold keeps",
                "Of the correlations between different samples of a training batch, the share that tau keeps, and the "
                "weight that a row gives to other samples; with the kept weights, in the model's own order. Nothing "
                "kept: the sample level does nothing, and a flat line says nothing about it.",
                swept,
                means(result, swept, "kept", "kept", 4),
                *(means(result, swept, f"kept.{name}", f"kept, {name}", 4) for name in names if len(names) > 2),
                means(result, swept, "mixed", "weight on others", 4),
            ),
        ]

    @staticmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return accuracy of all modalities and of each, EDM, and what the threshold keeps, by tau."""
        return [
            _accuracy_chart(result),
            arm_values_chart(result, "edm", "EDM"),
            *(arm_differences_chart(result, score.column, score.words) for score in SCORES),
            _kept_chart(result),
        ]

    @staticmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return what each value changes, and which values keep nothing."""
        sentences = []
        for term in result.levels("term"):
            rows = [
                row
                for row, arm in zip(arm_rows(result), result.arms, strict=True)
                if row.against and arm.factors["term"] == term
            ]
            sentences += [f"{row.name}: {scores_in_words(result, row.group, row.against)}." for row in rows]
            sentences.append(_inert(result, rows))
        return sentences


def _accuracy_chart(result: SettingResult) -> Chart:
    modalities = modality_styles(result.comparison.modalities)
    shown = {"accuracy": Entry("all modalities", Style(INK))}
    shown |= {f"unimodal.{name}": Entry(f"{name} alone", style) for name, style in modalities.items()}
    return RowChart(
        key="accuracy",
        title="Accuracy by threshold",
        caption=f"On test, {SPREAD}. '{OFF}', with the sample level switched off, is the reference.",
        axis="accuracy",
        limits=LIMITS["accuracy"],
        rows=_rows_of_columns(result, result.arms, shown),
        legend=tuple(shown.values()),
    )


def _kept_chart(result: SettingResult) -> Chart:
    modalities = modality_styles(result.comparison.modalities)
    shown = {"kept": Entry("all", Style(INK))}
    if len(modalities) > 2:
        shown |= {f"kept.{name}": Entry(name, style) for name, style in modalities.items()}
    return RowChart(
        key="kept",
        title="What the threshold keeps",
        caption="Share of the correlations between different samples of a training batch that reach tau, with the "
        f"kept weights, {SPREAD}. At 0 the sample level does nothing.",
        axis="share kept",
        limits=(0.0, 1.0),
        rows=_rows_of_columns(result, [arm for arm in result.arms if arm.against], shown),
        legend=() if len(shown) == 1 else tuple(shown.values()),
    )


def _rows_of_columns(result: SettingResult, arms: Sequence[Arm], shown: Mapping[str, Entry]) -> tuple[Row, ...]:
    """Return a row for each arm, with a mark for each column."""
    return tuple(
        Row(
            arm.words,
            tuple(
                estimate_mark(result.summary((arm.label,), column), entry.style or Style())
                for column, entry in shown.items()
            ),
        )
        for arm in arms
    )


def _inert(result: SettingResult, rows: Sequence[TableRow]) -> str:
    shares = {row.name: result.summary(row.group, "kept").mean for row in rows}
    known = [(name, share) for name, share in shares.items() if share is not None]
    idle = [name for name, mean in known if mean < INERT]
    if not known:
        return "What tau keeps is not known: no two modalities are ever there together."
    text = f"Kept: {', '.join(f'{name} {number(100 * mean, 2)}%' for name, mean in known)}."
    if idle:
        text += f" At {join_names(idle)} the threshold keeps next to nothing: it is inert, and nothing follows from it."
    return text


def _config(recipe: MethodSpec) -> ScheduledConfig[Any, Any]:
    return cast(ScheduledConfig[Any, Any], METHODS.get(recipe.name).Config.model_validate(recipe.options))


def _weights(recipe: MethodSpec) -> tuple[float | None, ...]:
    """Return the weights of the alignment term that are tried: None, where the method has no such term."""
    mapping = _config(recipe).mapping
    return (0.0, mapping.alignment or ALIGNMENT) if isinstance(mapping, AlignedMappingConfig) else (None,)
