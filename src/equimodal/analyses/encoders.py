"""Which modality leads, and by how much, when the encoders are others? One method with several sets of encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from equimodal.analyses.arms import Arm, Group
from equimodal.analyses.base import Analysis
from equimodal.analyses.charts import arm_differences_chart, arm_values_chart
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import (
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
from equimodal.display.charts import Chart, Entry, Mark, Row, RowChart, Style, modality_styles
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import join_names, number
from equimodal.training.run import Run


class Encoders(Analysis):
    """Any method with each set of encoders of `compare.encoders`; the first set is the reference.

    Args:
        recipes: the methods.
        labels: of the sets of encoders.

    Source: Shi et al., arXiv 2506.00030, who use conventional encoders, from scratch and pretrained, and language
    models.
    """

    kind = "encoders"
    title = "Encoders"
    methods = None
    overall_columns: ClassVar[Mapping[str, str]] = {"edm_ability": "EDM against ability"}

    def __init__(self, recipes: Sequence[MethodSpec], labels: Sequence[str]) -> None:
        super().__init__(recipes)
        self.labels = tuple(labels)

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return each method with each set of encoders. Which encoders those are is in the configuration of a run."""
        first = self.labels[0]
        return [
            Arm(
                recipe.model_copy(update={"label": arm_label(recipe.label, label)}),
                recipe.label,
                {"encoders": label},
                None if label == first else arm_label(recipe.label, first),
            )
            for recipe in self.recipes
            for label in self.labels
        ], []

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return each modality's share on test, whether it is minor there, and how many parameters train."""
        return shares_and_size(run)

    @staticmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return one row per set of encoders."""
        return arm_rows(result)

    @staticmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables: accuracy and balance, contributions, each modality alone, and cost."""
        rows, names = arm_rows(result), result.comparison.modalities
        first = f"Set against {rows[0].name}; paired by seed."

        def with_differences(column: str, header: str, digits: int = 3) -> list[Column]:
            change = differences(result, rows, column, f"{header}: difference", digits)
            return [means(result, rows, column, header, digits), change]

        return [
            make_table(
                "Accuracy and balance",
                f"{first} {SMALLEST} EDM against ability: the target of a modality is its share in the unimodal "
                "ensemble of the same encoders.",
                rows,
                *scores(result, rows),
                *with_differences("edm_ability", "EDM against ability", 2),
            ),
            make_table(
                "Contribution of each modality",
                f"{first} Share of the modality in what the model adds to the prior (Shapley). Minor: in how many runs "
                "its share is below its target; a modality that knows nothing alone is not minor.",
                rows,
                *(column for name in names for column in with_differences(f"share.{name}", f"share of {name}", 2)),
                _minor(result, rows),
            ),
            make_table(
                "Each modality alone",
                f"{first} Accuracy of the model with this modality only, and how much that is of what the modality "
                "does in the unimodal ensemble of the same encoders (utilisation).",
                rows,
                *(column for name in names for column in with_differences(f"unimodal.{name}", f"{name} alone")),
                *(means(result, rows, f"utilisation.{name}", f"utilisation of {name}", 2) for name in names),
            ),
            make_table(
                "Cost",
                "Of one run: seconds in training (runs that train side by side disturb one another), and parameters of "
                "the model that train.",
                rows,
                means(result, rows, "seconds", "seconds", 1, spread=False),
                means(result, rows, "parameters", "trainable parameters", 0, spread=False),
            ),
        ]

    @staticmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return the shares, EDM beside them, and the differences in accuracy and EDM."""
        return [
            _shares_chart(result),
            arm_values_chart(result, "edm", "EDM"),
            arm_differences_chart(result, "accuracy", "accuracy"),
            arm_differences_chart(result, "edm", "EDM"),
        ]

    @staticmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return the shares and who is minor with each set of encoders, and what each set changes."""
        rows = arm_rows(result)
        minor = _minor(result, rows).cells
        said = [f"{row.name}: {_shares_in_words(result, row)}; minor: {c}." for row, c in zip(rows, minor, strict=True)]
        return said + [
            f"{row.name} against {rows[0].name}: {scores_in_words(result, row.group, row.against)}."
            for row in rows
            if row.against
        ]


def arm_label(method: str, encoders: str) -> str:
    """Return the label of a method with a set of encoders.

    Example:
        >>> arm_label("joint", "from scratch")
        'joint, from scratch'
    """
    return f"{method}, {encoders}"


def shares_and_size(run: Run) -> dict[str, Any]:
    """Return `share.<m>` and `minor.<m>` (1 or 0) of each modality on test, and `parameters`, how many train.

    Without shares (a model no better than the prior) both are None.
    """
    found: dict[str, Any] = {}
    shares = run.test.contribution.shares
    for name in run.model.modalities:
        found[f"share.{name}"] = None if shares is None else shares[name]
        found[f"minor.{name}"] = None if shares is None else float(run.test.standing(name) == "minor")
    found["parameters"] = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    return found


def _minor(result: SettingResult, rows: Sequence[TableRow]) -> Column:
    """Return in how many runs each modality is minor; runs whose shares are undefined are not counted."""
    cells = []
    for row in rows:
        each = {name: _known(result, row.group, f"minor.{name}") for name in result.comparison.modalities}
        runs = max(map(len, each.values()))
        counts = ", ".join(f"{name} {sum(map(int, values))}" for name, values in each.items() if any(values))
        cells.append(Cell(f"{counts or 'none'} of {runs}" if runs else "undefined"))
    return Column("minor", tuple(cells))


def _known(result: SettingResult, group: Group, column: str) -> list[float]:
    return [value for value in result.values(group, column) if value is not None]


def _shares_in_words(result: SettingResult, row: TableRow) -> str:
    each = {name: result.summary(row.group, f"share.{name}").mean for name in result.comparison.modalities}
    if all(share is None for share in each.values()):
        return "shares undefined"
    return "shares " + join_names([f"{name} {number(share, 2)}" for name, share in each.items()])


def _shares_chart(result: SettingResult) -> RowChart:
    names = result.comparison.modalities
    styles = modality_styles(names)
    level = _common_target(result)
    aim = "" if level is None else " The dashed line is the target."
    return RowChart(
        key="shares",
        title="Contribution of each modality",
        caption=f"Share of each modality on test, mean over the seeds, and each seed below it.{aim}",
        axis="share",
        limits=(-0.5, 1.5),
        legend=tuple(Entry(name, style) for name, style in styles.items()),
        rows=tuple(
            Row(arm.words, tuple(_share_mark(result, arm, name, styles[name]) for name in names)) for arm in result.arms
        ),
        bars=True,
        level=level,
    )


def _share_mark(result: SettingResult, arm: Arm, name: str, style: Style) -> Mark:
    values = _known(result, (arm.label,), f"share.{name}")
    mean = result.summary((arm.label,), f"share.{name}").mean
    return Mark(mean, style, each=tuple(values) if len(values) > 1 else ())


def _common_target(result: SettingResult) -> float | None:
    """Return the share that counts as equilibrium, if it is the same for all modalities."""
    test = next(found.test for arm in result.arms for found in result.comparison.results[arm.label])
    targets = set(test["contribution"]["target"].values())
    return targets.pop() if len(targets) == 1 else None
