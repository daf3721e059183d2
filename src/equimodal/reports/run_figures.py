"""The figures of a run's report, as charts."""

from __future__ import annotations

from equimodal.display.charts import INK, Chart, Mark, Row, RowChart, Style
from equimodal.reports.history_figures import HistoryCharts
from equimodal.tables.words import VALUE_WORDS, number
from equimodal.training.run import Run


class RunCharts(HistoryCharts):
    """The figures of a finished run, from its history and its test measurement.

    Args:
        run: a finished run.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run.history, None if run.reference is None else run.reference["validation"])
        self.run = run
        self.value = VALUE_WORDS.get(run.test.contribution.value, run.test.contribution.value)

    def all(self) -> list[Chart]:
        """Return the figures that this run has data for, in the order of the page."""
        charts: list[Chart | None] = [
            self.alone(),
            self.test_shares(),
            self.trust(),
            self.shares(),
            self.edm(),
            self.accuracy(),
            self.utilisation(),
            self.order(),
        ]
        return [chart for chart in charts if chart is not None]

    def alone(self) -> RowChart:
        """Value of the model and of each modality alone on test, and of each modality trained alone."""
        reference = (self.run.reference or {}).get("test", {})
        test = self.run.test
        rows = [Row("all modalities", (Mark(test.contribution.value_all, Style(INK)),))]
        rows += [
            Row(name, (Mark(test.alone[name], self.styles[name], reference=reference.get(name)),))
            for name in self.modalities
        ]
        beside = " The vertical stroke is the value of an encoder trained on that modality alone." if reference else ""
        return RowChart(
            key="alone",
            title="All modalities, and each alone",
            caption=f"On test ({self.value}).{beside} The dashed line is what the label prior scores.",
            axis=f"{self.value} on test",
            rows=tuple(rows),
            bars=True,
            level=test.contribution.value_empty,
        )

    def test_shares(self) -> RowChart | None:
        """Shares of contribution on test, with intervals and target; None where they are undefined."""
        measured = self.run.test.contribution
        if measured.shares is None:
            return None
        intervals = measured.intervals and measured.intervals.shares
        rows = []
        for name in self.modalities:
            ends = (intervals[name].low, intervals[name].high) if intervals else None
            mark = Mark(measured.shares[name], self.styles[name], ends, reference=measured.target[name])
            rows.append(Row(name, (mark,)))
        interval = f", with {measured.confidence:.0%} bootstrap intervals" if intervals else ""
        return RowChart(
            key="test-shares",
            title="Share of contribution",
            caption=f"Shapley shares on test{interval}. The vertical stroke is the target.",
            axis="share of contribution on test",
            limits=(-0.5, 1.5),
            rows=tuple(rows),
        )

    def trust(self) -> RowChart | None:
        """Weight of each modality in the fitted pool; None where the model has no such pool."""
        weights = self.run.trust
        if weights is None:
            return None
        each = ", ".join(f"{name} {number(weight, 2)}" for name, weight in weights.items())
        return RowChart(
            key="trust",
            title="Weight in the fitted pool",
            caption=f"How much the model trusts the decision of each modality, fitted on validation: {each}. The mean "
            "is 1 (dashed); equal weights would all be 1.",
            axis="weight",
            rows=tuple(Row(name, (Mark(weight, self.styles[name]),)) for name, weight in weights.items()),
            bars=True,
            level=1.0,
        )
