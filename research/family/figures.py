"""The figures of a sweep: accuracy over the share of interactions, and what the interaction index says."""

from __future__ import annotations

from collections.abc import Sequence

from equimodal.display.charts import INK, MUTED, CurveChart, Entry, Line, Style, modality_styles
from research.family.summary import LIKELIHOOD, Summary
from research.family.sweep import DIAGNOSED, METHODS

_STYLES = modality_styles([method["label"] for method in METHODS])
_PERFECT = Style(INK, "", (5, 2), 1.8)
_LATE = Style(MUTED, "", (1.5, 1.5), 1.8)


def charts(summary: Summary) -> list[CurveChart]:
    """Return for each strength of the last modality: accuracy, and the interaction index in two values."""
    return [
        chart for weak in summary.sweep.weaknesses for chart in (_accuracy(summary, weak), *_indices(summary, weak))
    ]


def _accuracy(summary: Summary, weak: float) -> CurveChart:
    found = summary.limits(weak)
    late = Line("product of unimodal experts", tuple(one.late for one in found), _LATE)
    lines = [
        Line("best possible", tuple(one.together for one in found), _PERFECT),
        late,
        *_lines(summary, "accuracy", summary.sweep.methods, weak),
    ]
    return _chart(
        summary,
        weak,
        lines,
        key="accuracy",
        title="Accuracy by share of interactions",
        caption="Means over seeds with 95% intervals; dashed, the best decision; dotted, the best one from unimodal "
        "experts alone.",
        axis="accuracy",
    )


def _indices(summary: Summary, weak: float) -> list[CurveChart]:
    diagnosed = [method for method in summary.sweep.methods if method in DIAGNOSED]
    if not diagnosed:
        return []
    found = summary.limits(weak)
    perfect = {
        "interaction_accuracy": tuple(one.interaction_accuracy for one in found),
        LIKELIHOOD: tuple(one.interaction_information for one in found),
    }
    words = {"interaction_accuracy": "accuracy", LIKELIHOOD: "log-likelihood gain"}
    axes = {"interaction_accuracy": "interaction index", LIKELIHOOD: "interaction index (nats)"}
    return [
        _chart(
            summary,
            weak,
            [Line("perfect model", values, _PERFECT), *_lines(summary, column, diagnosed, weak)],
            key=column.replace("_", "-"),
            title=f"Interaction in {words[column]}",
            caption="Pairwise Shapley interaction on test, means over seeds with 95% intervals; dashed, perfect.",
            axis=axes[column],
            level=0.0,
        )
        for column, values in perfect.items()
    ]


def _lines(summary: Summary, column: str, methods: Sequence[str], weak: float) -> list[Line]:
    lines = []
    for method in methods:
        found = [summary.over_seeds(column, method, i, weak) for i in summary.sweep.interactions]
        band = tuple(None if one.low is None or one.high is None else (one.low, one.high) for one in found)
        lines.append(Line(method, tuple(one.mean for one in found), _STYLES[method], band))
    return lines


def _chart(
    summary: Summary,
    weak: float,
    lines: Sequence[Line],
    *,
    key: str,
    title: str,
    caption: str,
    axis: str,
    level: float | None = None,
) -> CurveChart:
    return CurveChart(
        key=f"family-{key}-{weak:g}".replace(".", "-"),
        title=f"{title}, {summary.last} of strength {weak:g}",
        caption=caption,
        axis=axis,
        legend=tuple(Entry(line.label, line.style) for line in lines),
        across="share of the label's bits that are interactions",
        places=tuple(interactions / summary.sweep.bits for interactions in summary.sweep.interactions),
        lines=tuple(lines),
        level=level,
    )
