"""The figure of a model where entries are missing."""

from __future__ import annotations

from equimodal.display.charts import FUSED, CurveChart, Entry, Line
from equimodal.inference.missing_report import MissingReport


def missing_chart(report: MissingReport) -> CurveChart:
    """Return accuracy over the rate of missing entries, with the range of 95% of the draws."""
    line = Line(
        "accuracy",
        tuple(each.accuracy.mean for each in report.rates),
        FUSED,
        tuple((each.accuracy.low, each.accuracy.high) for each in report.rates),
    )
    return CurveChart(
        key="missing",
        title="Accuracy with entries missing",
        caption=f"On {report.split}: each entry (row, modality) is missing with the same probability, and every row "
        f"keeps one at least. The shade is the range of 95% of {report.masks} draws. The dashed line is the worst "
        f"subset of the modalities, {report.worst.name}. Mean over the rates: {report.area:.3f}.",
        axis="accuracy",
        across="share of entries missing",
        places=tuple(each.rate for each in report.rates),
        limits=(0.0, 1.0),
        lines=(line,),
        level=report.worst.accuracy,
        legend=(Entry("mean over the draws", FUSED),),
    )
