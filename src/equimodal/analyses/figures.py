"""The figures of an analysis, as charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equimodal.analyses.base import Found, Group
from equimodal.analyses.order import reading_columns, strategy_lines
from equimodal.analyses.tables import SCORES
from equimodal.analyses.tau import OFF
from equimodal.display.charts import (
    FUSED,
    INK,
    MUTED,
    Chart,
    Entry,
    EpochChart,
    Line,
    Mark,
    Row,
    RowChart,
    Style,
    modality_styles,
)
from equimodal.files import safe_name
from equimodal.statistics.estimates import Estimate, Pooled

if TYPE_CHECKING:
    from equimodal.analyses.findings import Findings

LIMITS = {"accuracy": (0.0, 1.0), "edm": (0.0, 3.0), "smallest_utilisation": (-0.5, 2.0)}
"""Beyond these, ratios of small numbers are cut off."""
SPREAD = "mean with 95% interval"


def analysis_charts(findings: Findings) -> list[list[Chart]]:
    """Return the figures of each part of the findings; their keys and titles tell the parts apart."""
    parts = findings.parts()
    made = []
    for number, part in enumerate(parts, start=1):
        prefix = f"{number}-{safe_name(part.title).lower()}" if len(parts) > 1 else findings.kind
        where = f", {part.title}" if len(parts) > 1 else ""
        charts = CHARTS[findings.kind](part.found)
        made.append([replace(chart, key=f"{prefix}-{chart.key}", title=f"{chart.title}{where}") for chart in charts])
    return made


def overall_charts(findings: Findings) -> list[Chart]:
    """Return each score's differences over all settings, of each recipe; nothing for a single setting."""
    whole = findings.overall()
    charts = []
    for recipe, overall in whole.items():
        of = f", {recipe}" if len(whole) > 1 else ""
        base = next(name for name in overall.lines if name not in overall.compared)
        for column, header, _, _ in SCORES:
            rows = tuple(Row(name, (_mark(overall.difference(name, column), Style()),)) for name in overall.compared)
            chart = _score_chart(column, header, rows, True, base, ())
            key = "-".join(["overall", *([safe_name(recipe).lower()] if of else []), chart.key])
            charts.append(replace(chart, key=key, title=f"{chart.title} over all settings{of}"))
    return charts


def order_charts(found: Found) -> list[Chart]:
    """Return scores by strategy and initial sequence, the crossing, and what each step gains by the memory."""
    sequences, names = found.levels("initial"), found.comparison.modalities
    looks = modality_styles(sequences)
    lines = strategy_lines(found)
    legend = tuple(Entry(f"from {sequence}", looks[sequence]) for sequence in sequences)
    charts: list[Chart] = []
    for column, header, _, _ in SCORES:
        for differs in (False, True):
            rows = []
            for line in lines:
                arms = _by_factor(found, line.group, "initial")
                bases = _by_factor(found, line.against, "initial")
                if differs and not bases:
                    continue
                rows.append(
                    Row(
                        line.name,
                        tuple(
                            _mark(found.difference(arms[s], bases[s], column), looks[s])
                            if differs
                            else _mark(found.summary(arms[s], column), looks[s])
                            for s in sequences
                        ),
                    )
                )
            charts.append(_score_chart(column, header, tuple(rows), differs, "weak_to_strong", legend))
    columns = reading_columns(names)
    ways = modality_styles(list(columns))
    crossed = (Row(line.name, tuple(_mark(found.summary(line.group, c), ways[c]) for c in columns)) for line in lines)
    charts.append(
        RowChart(
            key="crossing",
            title="Training order by reading order",
            caption=f"Accuracy on test, {SPREAD}: models trained by a strategy (rows), read in other orders and "
            "without the memory's refinement. Marks that differ within a row show what reading does; the same mark in "
            "two rows, what training did.",
            axis="accuracy",
            limits=LIMITS["accuracy"],
            rows=tuple(crossed),
            legend=tuple(Entry(words, ways[column]) for column, words in columns.items()),
        )
    )
    own = modality_styles(names)
    gains = (
        Row(
            line.name,
            tuple(
                _mark(found.difference(line.group, line.group, f"step.own.{m}", f"step.alone.{m}"), own[m])
                for m in names
            ),
        )
        for line in lines
    )
    charts.append(
        RowChart(
            key="gains",
            title="What a step gains by the memory it received",
            caption="Accuracy of each modality's step less that of the modality alone, in the model's own order, "
            f"{SPREAD}.",
            axis="gain in accuracy",
            rows=tuple(gains),
            level=0.0,
            legend=tuple(Entry(name, own[name]) for name in names),
        )
    )
    return charts


def tau_charts(found: Found) -> list[Chart]:
    """Return accuracy of all modalities and of each, EDM, and what the threshold keeps, by tau."""
    names = found.comparison.modalities
    looks = {"accuracy": Style(INK), **{f"unimodal.{m}": style for m, style in modality_styles(names).items()}}
    words = {"accuracy": "all modalities", **{f"unimodal.{name}": f"{name} alone" for name in names}}
    swept = [arm for arm in found.arms if arm.against]
    kept = ("kept", *(f"kept.{name}" for name in names if len(names) > 2))
    receivers = {"kept": Style(INK), **{f"kept.{m}": style for m, style in modality_styles(names).items()}}
    return [
        RowChart(
            key="accuracy",
            title="Accuracy by threshold",
            caption=f"On test, {SPREAD}. '{OFF}', with the sample level switched off, is the reference.",
            axis="accuracy",
            limits=LIMITS["accuracy"],
            rows=tuple(
                Row(arm.words, tuple(_mark(found.summary((arm.label,), c), looks[c]) for c in looks))
                for arm in found.arms
            ),
            legend=tuple(Entry(words[column], style) for column, style in looks.items()),
        ),
        _arm_scores(found, "edm", "EDM", differs=False),
        *(_arm_scores(found, column, header, differs=True) for column, header, _, _ in SCORES),
        RowChart(
            key="kept",
            title="What the threshold keeps",
            caption="Share of the correlations between different samples of a training batch that reach tau, with the "
            f"kept weights, {SPREAD}. At 0 the sample level does nothing.",
            axis="share kept",
            limits=(0.0, 1.0),
            rows=tuple(
                Row(arm.words, tuple(_mark(found.summary((arm.label,), c), receivers[c]) for c in kept))
                for arm in swept
            ),
            legend=() if len(kept) == 1 else tuple(Entry(c.partition(".")[2] or "all", receivers[c]) for c in kept),
        ),
    ]


def ablation_charts(found: Found) -> list[Chart]:
    """Return each score's difference to the full method, and EDM and utilisation over epochs."""
    used = {f"utilisation.{name}": f"Utilisation of {name} by epoch" for name in found.comparison.modalities}
    return [
        *(_arm_scores(found, column, header, differs=True) for column, header, _, _ in SCORES),
        _curves(found, "edm", "edm-epochs", "EDM by epoch", (0.0, 3.0)),
        *(
            _curves(found, column, f"utilisation-{number}", title, (-0.5, 1.6), level=1.0)
            for number, (column, title) in enumerate(used.items(), start=1)
        ),
    ]


CHARTS: Mapping[str, Callable[[Found], list[Chart]]] = {
    "order": order_charts,
    "tau": tau_charts,
    "ablation": ablation_charts,
}
"""What draws each analysis."""


def _by_factor(found: Found, group: Group, factor: str) -> dict[str, Group]:
    """Return the arms of a group apart, by one factor."""
    return {arm.factors[factor]: (arm.label,) for arm in found.arms if arm.label in group}


def _mark(numbers: Estimate | Pooled, style: Style) -> Mark:
    interval = None if numbers.low is None or numbers.high is None else (numbers.low, numbers.high)
    return Mark(numbers.mean, style, interval)


def _arm_scores(found: Found, column: str, header: str, *, differs: bool) -> RowChart:
    """Return a score of each arm, or its difference to what the arm is set against."""
    rows = []
    for arm in found.arms:
        if differs and arm.against:
            rows.append(Row(arm.words, (_mark(found.difference((arm.label,), (arm.against,), column), Style()),)))
        elif not differs:
            style = Style(INK if arm.against else MUTED)
            rows.append(Row(arm.words, (_mark(found.summary((arm.label,), column), style),)))
    base = next(arm for arm in found.arms if not arm.against)
    return _score_chart(column, header, tuple(rows), differs, list(base.factors.values())[-1], ())


def _score_chart(
    column: str, header: str, rows: tuple[Row, ...], differs: bool, base: str, legend: tuple[Entry, ...]
) -> RowChart:
    if differs:
        return RowChart(
            key=f"{column.replace('_', '-')}-difference",
            title=f"Difference in {header} to {base}",
            caption=f"On test, paired by seed: {SPREAD}. A difference whose interval does not reach across the dashed "
            "line can be told from noise.",
            axis=f"difference in {header}",
            limits=(-2.0, 2.0),
            rows=rows,
            level=0.0,
            legend=legend,
        )
    return RowChart(
        key=column.replace("_", "-"),
        title=f"{header[0].upper()}{header[1:]}",
        caption=f"On test, {SPREAD}.",
        axis=header,
        limits=LIMITS.get(column, (float("-inf"), float("inf"))),
        rows=rows,
        legend=legend,
    )


def _curves(
    found: Found, column: str, key: str, title: str, limits: tuple[float, float], level: float | None = None
) -> EpochChart:
    """Return a line for each arm: the mean over the seeds in which the epoch was trained and the number is defined."""
    full, *others = found.arms
    looks = {full.label: FUSED, **modality_styles([arm.label for arm in others])}
    lines = tuple(
        Line(
            arm.words,
            _mean_curve([reading["curves"][column] for reading in found.readings[arm.label]]),
            looks[arm.label],
        )
        for arm in found.arms
    )
    how = "0 is equilibrium." if level is None else "The dashed line is all that the modality can do alone."
    return EpochChart(
        key=key,
        title=title,
        caption=f"On the validation probe, mean over the seeds. {how}",
        axis="EDM" if level is None else "utilisation",
        limits=limits,
        lines=lines,
        levels=() if level is None else (level,),
        legend=tuple(Entry(line.label, line.style) for line in lines),
    )


def _mean_curve(curves: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    """Return the mean of each epoch over the curves that are defined there.

    Example:
        >>> _mean_curve([[1.0, None, 3.0], [2.0, None]])
        (1.5, None, 3.0)
    """
    epochs = max(map(len, curves))
    known = [[c[i] for c in curves if i < len(c) and c[i] is not None] for i in range(epochs)]
    return tuple(float(np.mean(values)) if values else None for values in known)  # pyright: ignore
