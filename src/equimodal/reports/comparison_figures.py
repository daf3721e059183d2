"""The figures of a comparison's report, as charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equimodal.comparison.comparison import Comparison
from equimodal.comparison.result import MISSING
from equimodal.display.charts import (
    INK,
    MUTED,
    Chart,
    Entry,
    Mark,
    Point,
    Row,
    RowChart,
    ScatterChart,
    Style,
    modality_styles,
)
from equimodal.statistics.estimates import paired


class ComparisonCharts:
    """The figures of a comparison; the baseline is grey.

    Args:
        comparison: methods over seeds.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.table = comparison.table()
        self.styles = modality_styles(comparison.modalities)

    def all(self) -> list[Chart]:
        """Return the figures in the order of the page."""
        charts: list[Chart | None] = [
            self.accuracy(),
            self.differences(),
            self.missing(),
            self.edm(),
            self.utilisation(),
            self.balance(),
        ]
        return [chart for chart in charts if chart is not None]

    def accuracy(self) -> RowChart:
        """Accuracy of each method: mean, interval, seeds."""
        return RowChart(
            key="accuracy",
            title="Accuracy by method",
            caption=f"On test: mean{self._spread}. The dashed line is the mean of {self.comparison.baseline}.",
            axis="accuracy",
            rows=self._rows("accuracy"),
            level=self.table[0]["accuracy"]["mean"],
        )

    def differences(self) -> RowChart | None:
        """Paired differences in accuracy to the baseline; None if there is only the baseline."""
        if len(self.table) == 1:
            return None
        base = self.comparison.values(self.comparison.baseline, "accuracy")
        rows = []
        for row in self.table[1:]:
            each = paired(self.comparison.values(row["method"], "accuracy"), base)
            rows.append(Row(row["method"], (_mark(row["accuracy"]["difference"], Style(INK), each),)))
        return RowChart(
            key="differences",
            title=f"Difference in accuracy to {self.comparison.baseline}",
            caption=f"Paired by seed: mean{self._spread}. A difference whose interval does not reach across the dashed "
            "line can be distinguished from noise.",
            axis="difference in accuracy",
            rows=tuple(rows),
            level=0.0,
        )

    def missing(self) -> RowChart | None:
        """Accuracy of each method where entries are missing, by rate; None where it is not known."""
        columns = {"none": "accuracy"} | {f"{percent}%": f"missing_{percent}" for percent in MISSING}
        if all(row[columns[rate]]["mean"] is None for row in self.table for rate in list(columns)[1:]):
            return None
        styles = modality_styles(list(columns))
        return RowChart(
            key="missing",
            title="Accuracy with entries missing",
            caption="On test, by the share of entries that are missing; every row keeps at least one: mean"
            f"{' with 95% interval' if self._several else ''}.",
            axis="accuracy",
            legend=tuple(Entry(rate, style) for rate, style in styles.items()),
            rows=tuple(
                Row(row["method"], tuple(_mark(row[column], styles[rate], ()) for rate, column in columns.items()))
                for row in self.table
            ),
        )

    def edm(self) -> RowChart:
        """EDM of each method: mean, interval, median, seeds."""
        return RowChart(
            key="edm",
            title="EDM by method",
            caption=f"On test, 0 is equilibrium: mean{self._spread}, and the median as a vertical stroke.",
            axis="EDM",
            limits=(0.0, 3.0),
            rows=self._rows("edm", median=True),
        )

    def utilisation(self) -> RowChart:
        """Utilisation of each modality by method."""
        rows = []
        for row in self.table:
            marks = []
            for name in self.comparison.modalities:
                column = f"utilisation.{name}"
                each = self.comparison.values(row["method"], column)
                marks.append(_mark(row[column], self.styles[name], each))
            rows.append(Row(row["method"], tuple(marks)))
        return RowChart(
            key="utilisation",
            title="Utilisation by method and modality",
            caption="How much of what each modality can do alone (the dashed line) it does alone in the model: "
            f"mean{self._spread}, on test.",
            axis="utilisation",
            limits=(-0.5, 2.0),
            legend=tuple(Entry(name, style) for name, style in self.styles.items()),
            rows=tuple(rows),
            level=1.0,
        )

    def balance(self) -> ScatterChart:
        """EDM against accuracy: the better methods are to the upper left."""
        points, legend = [], []
        for number, row in enumerate(self.table, start=1):
            accuracy, edm = row["accuracy"], row["edm"]
            missing = "" if edm["mean"] is not None else " (EDM undefined)"
            legend.append(Entry(f"{number} {row['method']}{missing}"))
            if edm["mean"] is not None:
                points.append(Point(str(number), edm["mean"], accuracy["mean"], _ends(edm), _ends(accuracy)))
        return ScatterChart(
            key="balance",
            title="Accuracy against EDM",
            caption=f"Means{' with 95% intervals' if self._several else ''}. Further up is more accurate, "
            "further left nearer to equilibrium.",
            axis="accuracy",
            across="EDM",
            legend=tuple(legend),
            points=tuple(points),
        )

    @property
    def _spread(self) -> str:
        return " with 95% interval, and each seed below it" if self._several else ""

    @property
    def _several(self) -> bool:
        return len(self.comparison.seeds) > 1

    def _rows(self, column: str, *, median: bool = False) -> tuple[Row, ...]:
        rows = []
        for row in self.table:
            style = Style(MUTED if row["method"] == self.comparison.baseline else INK)
            each = self.comparison.values(row["method"], column)
            reference = row[column]["median"] if median else None
            rows.append(Row(row["method"], (_mark(row[column], style, each, reference),)))
        return tuple(rows)


def _mark(
    numbers: Mapping[str, Any], style: Style, each: Sequence[float | None], reference: float | None = None
) -> Mark:
    known = tuple(value for value in each if value is not None)
    return Mark(numbers["mean"], style, _ends(numbers), reference, known if len(known) > 1 else ())


def _ends(numbers: Mapping[str, Any]) -> tuple[float, float] | None:
    return None if numbers["low"] is None else (numbers["low"], numbers["high"])
