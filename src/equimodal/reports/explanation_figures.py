"""The figures of an explanation."""

from __future__ import annotations

from collections.abc import Sequence

from equimodal.contribution.knowledge import interactions
from equimodal.display.charts import (
    FUSED,
    LEVEL,
    Chart,
    CurveChart,
    Entry,
    Line,
    Mark,
    MatrixChart,
    Row,
    RowChart,
    Style,
    modality_styles,
)
from equimodal.inference.explanation.explain import Explanation
from equimodal.inference.explanation.parts import Part
from equimodal.inference.explanation.reliability import Calibration
from equimodal.inference.means import Mean
from equimodal.tables.words import VALUE_WORDS

MOST_IN_MATRIX = 20
"""Classes up to which the confusion matrix is drawn."""
_MOST_MARKS = 90
"""Marks of a figure of classes; with more classes or modalities there is none."""
_ALL = Style(FUSED.colour, "*")
_AFTER = Style("#0072B2", "s")


def part_charts(found: Explanation) -> list[Chart]:
    """Return accuracy and contributions by class, where they are not too many for a figure."""
    parts = [part for part in found.classes if part.rows]
    if len(parts) * (len(found.modalities) + 1) > _MOST_MARKS:
        return []
    styles = modality_styles(found.modalities)
    legend = tuple(Entry(name, style) for name, style in styles.items())
    accuracy = [
        Row(part.name, (_mark(part.accuracy, _ALL), *(_mark(part.alone[m], styles[m]) for m in found.modalities)))
        for part in parts
    ]
    return [
        RowChart(
            key="classes",
            title="Accuracy by class",
            caption="All modalities together and each alone, with 95% bootstrap intervals.",
            axis="accuracy",
            limits=(0.0, 1.0),
            legend=(Entry("all modalities", _ALL), *legend),
            rows=tuple(accuracy),
        ),
        RowChart(
            key="class-contributions",
            title="Contribution by class",
            caption="Mean of what each modality adds to the log probability of the label, with 95% bootstrap "
            "intervals. Below 0 it speaks against the label.",
            axis="contribution (nats)",
            legend=legend,
            level=0.0,
            rows=_contribution_rows(parts, styles),
        ),
    ]


def _contribution_rows(parts: Sequence[Part], styles: dict[str, Style]) -> tuple[Row, ...]:
    return tuple(
        Row(part.name, tuple(_mark(part.contributions[name], style) for name, style in styles.items()))
        for part in parts
    )


def _mark(mean: Mean | None, style: Style) -> Mark:
    return Mark(None, style) if mean is None else Mark(mean.value, style, mean.ends)


def interaction_chart(found: Explanation) -> MatrixChart | None:
    """Return the interactions of pairs of modalities; None where they were not computed."""
    contribution = found.measured.contribution
    if contribution.interactions is None:
        return None
    index = [interactions(contribution, name) for name in found.modalities]
    value = VALUE_WORDS.get(contribution.value, contribution.value)
    return MatrixChart(
        key="interactions",
        title="Synergy and redundancy of pairs",
        caption=f"Shapley interaction of each pair, in units of the value ({value}). Above 0 (synergy): the two know "
        "more together than what each adds without the other. Below 0 (redundancy): they repeat each other.",
        axis="interaction; columns have the numbers of the rows",
        labels=found.modalities,
        values=tuple(tuple(row.get(other) for other in found.modalities) for row in index),
        signed=True,
        digits=3,
    )


def confusion_chart(found: Explanation) -> MatrixChart | None:
    """Return the confusion matrix; None where there are too many classes for a figure."""
    confusion = found.confusion
    if len(confusion.classes) > MOST_IN_MATRIX:
        return None
    return MatrixChart(
        key="confusion",
        title="Confusion matrix",
        caption="Of the rows of a class (one line), the share that is taken for each class (columns). Every line "
        "sums to 1. A share of 0 is left empty; the line of a class that does not occur is grey.",
        axis="taken for class no.",
        labels=confusion.classes,
        values=tuple(
            tuple(None if share != share else share for share in shares) for shares in confusion.shares.tolist()
        ),
    )


def reliability_chart(found: Explanation) -> CurveChart:
    """Return accuracy over confidence, before and after the temperature."""
    trust = found.reliability
    places = tuple((each.low + each.high) / 2 for each in trust.before.bins)
    before = Style(FUSED.colour, "o")
    lines = [Line("calibrated", places, LEVEL), _line("as it is", trust.before, before)]
    legend = [Entry("calibrated: as often right as it is sure", LEVEL), Entry("as it is", before)]
    if trust.after is not None and trust.temperature is not None:
        label = f"with temperature {trust.temperature:.2f}"
        lines.append(_line(label, trust.after, _AFTER))
        legend.append(Entry(label, _AFTER))
    return CurveChart(
        key="reliability",
        title="Reliability",
        caption=f"Accuracy of the rows whose confidence (the probability of the predicted class) lies in each of "
        f"{len(places)} bins of equal width; the line has a gap where a bin has no rows. Below the dashed line the "
        "model is too sure.",
        axis="accuracy",
        across="confidence",
        places=places,
        limits=(0.0, 1.0),
        lines=tuple(lines),
        legend=tuple(legend),
    )


def _line(label: str, found: Calibration, style: Style) -> Line:
    return Line(label, tuple(each.accuracy for each in found.bins), style)
