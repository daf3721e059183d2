"""Figures of features: points of each method at some epochs, and measures over epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from equimodal.analyses.arms import Arm
from equimodal.analyses.charts import SPREAD
from equimodal.analyses.feature_numbers import MEASURES, Measure, epochs_of, in_words, places_of
from equimodal.analyses.projections import WORDS
from equimodal.analyses.result import SettingResult
from equimodal.display.charts import (
    MUTED,
    Chart,
    Cloud,
    CurveGrid,
    Entry,
    Line,
    PointGrid,
    Style,
    class_styles,
    modality_styles,
)
from equimodal.files import safe_name

_COLOURED = 12  # classes with a style of their own
_OTHERS = "other classes"
_FAR = " Distances between groups that are far apart mean little here."
_GRID = 1000.0  # steps of the coordinates


def feature_charts(result: SettingResult) -> list[Chart]:
    """Return the points of each method and projection, and a figure of each measure over epochs."""
    charts: list[Chart] = []
    for arm in result.arms:
        seeds = zip(result.comparison.seeds, result.readings[arm.label], strict=True)
        shown = next(((seed, r["kept"]["points"]) for seed, r in seeds if r and r["kept"]["points"]), None)
        if shown is not None:
            seed, points = shown
            charts += [_points_chart(arm, seed, kind, points) for kind in points["at"]]
    charts += [_measure_chart(result, measure) for measure in MEASURES]
    if len(epochs_of(result)) > 1:
        charts.append(_change_chart(result))
    return charts


def _points_chart(arm: Arm, seed: int, kind: str, points: Mapping[str, Any]) -> PointGrid:
    at, labels, names = points["at"][kind], points["labels"], points["classes"]
    epochs = list(next(iter(at.values())))
    styles = _styles(labels, names)
    rows = {
        space: tuple(
            _clouds(labels[space], [names[i] for i in labels[space]], at[space][epoch], styles) for epoch in epochs
        )
        for space in at
    }
    count = max(map(len, labels.values()))
    return PointGrid(
        key=f"{safe_name(arm.label).lower()}-{kind}",
        title=f"{WORDS[kind]} of encodings by epoch: {arm.words}",
        caption=f"{count} validation rows of seed {seed}, coloured by class. Each panel has a projection of its own, "
        f"turned to agree with the one before.{'' if kind == 'pca' else _FAR}",
        axis="",
        legend=tuple(Entry(name, style) for name, style in styles.items()),
        columns=tuple(f"epoch {epoch}" for epoch in epochs),
        rows=rows,
    )


def _styles(labels: Mapping[str, Sequence[int]], names: Sequence[str]) -> dict[str, Style]:
    """Return the style of each class: where there are many, of the most frequent ones; the others are grey."""
    counts = Counter(label for each in labels.values() for label in each)
    own = sorted(sorted(counts, key=lambda label: (-counts[label], label))[:_COLOURED])
    styles = class_styles([names[label] for label in own])
    return {**({_OTHERS: Style(MUTED, width=0.0)} if len(counts) > len(own) else {}), **styles}


def _clouds(
    labels: Sequence[int], classes: Sequence[str], at: Sequence[Sequence[int]], styles: Mapping[str, Style]
) -> tuple[Cloud, ...] | None:
    """Return the points of one panel by class, the others first, so that they lie below."""
    x, y = ([value / _GRID for value in axis] for axis in at)
    clouds = []
    for name, style in styles.items():
        own = [i for i in range(len(labels)) if (classes[i] if classes[i] in styles else _OTHERS) == name]
        if own:
            clouds.append(Cloud(style, tuple(x[i] for i in own), tuple(y[i] for i in own)))
    return tuple(clouds) or None


def _measure_chart(result: SettingResult, measure: Measure) -> CurveGrid:
    panels = {
        in_words(place, measure): [(arm, f"{measure.key}.{place}.") for arm in arms]
        for place, arms in places_of(result, measure).items()
    }
    title = f"{measure.words[0].upper()}{measure.words[1:]} by epoch"
    return _curves(result, measure.key.replace("_", "-"), title, measure.reading, measure.words, panels, measure.limits)


def _change_chart(result: SettingResult) -> CurveGrid:
    first = epochs_of(result)[0]
    places = places_of(result, MEASURES[0])
    panels = {place: [(arm, f"cka.{place}.{first}-") for arm in arms] for place, arms in places.items()}
    reading = "Linear CKA of the same rows; it falls as far as the encodings change by more than rotation and scale."
    title = f"Likeness to the encodings of epoch {first}"
    return _curves(result, "change", title, reading, f"CKA with epoch {first}", panels, (0.0, 1.0), since=first)


def _curves(
    result: SettingResult,
    key: str,
    title: str,
    reading: str,
    axis: str,
    panels: Mapping[str, Sequence[tuple[Arm, str]]],
    limits: tuple[float, float],
    since: int | None = None,
) -> CurveGrid:
    """Return a line of each method in each panel; `panels` has the columns' names without the epoch.

    With `since`, the epoch that the others are compared with, its own value is 1.
    """
    styles = modality_styles([arm.label for arm in result.arms])
    epochs = epochs_of(result)
    lines = {
        name: tuple(_line(result, arm, start, epochs, styles[arm.label], since) for arm, start in columns)
        for name, columns in panels.items()
    }
    return CurveGrid(
        key=key,
        title=title,
        caption=f"{reading} On validation rows, {SPREAD} over the seeds.",
        axis=axis,
        limits=limits,
        legend=tuple(Entry(arm.words, styles[arm.label]) for arm in result.arms),
        across="epoch",
        places=tuple(map(float, epochs)),
        panels=lines,
    )


def _line(result: SettingResult, arm: Arm, start: str, epochs: Sequence[int], style: Style, since: int | None) -> Line:
    found = [None if epoch == since else result.summary((arm.label,), f"{start}{epoch}") for epoch in epochs]
    means = tuple(1.0 if each is None else each.mean for each in found)
    bands = tuple(None if e is None or e.low is None or e.high is None else (e.low, e.high) for e in found)
    return Line(arm.words, means, style, bands)
