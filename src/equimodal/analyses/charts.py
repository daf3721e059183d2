"""Figures that several analyses share: a score by arm, its differences, a number by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equimodal.analyses.result import SettingResult
from equimodal.display.charts import (
    FUSED,
    INK,
    MUTED,
    Entry,
    EpochChart,
    Line,
    Mark,
    Row,
    RowChart,
    Style,
    modality_styles,
)
from equimodal.statistics.estimates import Estimate, Pooled

LIMITS = {"accuracy": (0.0, 1.0), "edm": (0.0, 3.0), "smallest_utilisation": (-0.5, 2.0)}
"""Beyond these, ratios of small numbers are cut off."""
SPREAD = "mean with 95% interval"


def estimate_mark(estimate: Estimate | Pooled, style: Style) -> Mark:
    """Return an estimate as a mark: its mean, with its interval where it has one."""
    interval = None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
    return Mark(estimate.mean, style, interval)


def arm_values_chart(result: SettingResult, column: str, header: str) -> RowChart:
    """Return a score of each arm; references are grey."""
    rows = tuple(
        Row(
            arm.words,
            (estimate_mark(result.summary((arm.label,), column), Style(INK if arm.against else MUTED)),),
        )
        for arm in result.arms
    )
    return score_chart(column, header, rows)


def arm_differences_chart(result: SettingResult, column: str, header: str) -> RowChart:
    """Return the difference in a score of each arm to its reference."""
    rows = tuple(
        Row(arm.words, (estimate_mark(result.difference((arm.label,), (arm.against,), column), Style()),))
        for arm in result.arms
        if arm.against
    )
    reference = next(arm for arm in result.arms if not arm.against)
    return score_chart(column, header, rows, reference=list(reference.factors.values())[-1])


def score_chart(
    column: str, header: str, rows: tuple[Row, ...], *, reference: str | None = None, legend: tuple[Entry, ...] = ()
) -> RowChart:
    """Return rows of a score, or of its differences where there is a reference."""
    if reference is not None:
        return RowChart(
            key=f"{column.replace('_', '-')}-difference",
            title=f"Difference in {header} to {reference}",
            caption=f"On test, paired by seed: {SPREAD}. A difference whose interval does not reach across the dashed "
            "line can be distinguished from noise.",
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


def epoch_chart(
    result: SettingResult, column: str, key: str, title: str, limits: tuple[float, float], level: float | None = None
) -> EpochChart:
    """Return one line per arm: each epoch's mean over the seeds in which it was trained and the number is defined."""
    full, *others = result.arms
    styles = {full.label: FUSED, **modality_styles([arm.label for arm in others])}
    lines = tuple(
        Line(
            arm.words,
            _mean_curve([reading["curves"][column] for reading in result.readings[arm.label] if reading]),
            styles[arm.label],
        )
        for arm in result.arms
    )
    note = "0 is equilibrium." if level is None else "The dashed line is all that the modality can do alone."
    return EpochChart(
        key=key,
        title=title,
        caption=f"On the validation probe, mean over the seeds. {note}",
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
    epochs = max(map(len, curves), default=0)
    known = [[c[i] for c in curves if i < len(c) and c[i] is not None] for i in range(epochs)]
    return tuple(float(np.mean(values)) if values else None for values in known)  # pyright: ignore
