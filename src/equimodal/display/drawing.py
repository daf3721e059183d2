"""Draw charts as SVG."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from equimodal.display.charts import (
    INK,
    LEVEL,
    MUTED,
    Chart,
    CurveChart,
    CurveGrid,
    EpochChart,
    Mark,
    MatrixChart,
    OrderChart,
    PointGrid,
    RowChart,
    ScatterChart,
)
from equimodal.display.grids import curve_grid_figure, point_grid_figure
from equimodal.display.labels import label_room, shorten
from equimodal.display.lines import GRID, WIDTH, draw_line, fit_axis, values_of
from equimodal.display.matrix import matrix_figure, tint

_PITCH = 13.0  # points between two marks of a row
_SVG = "http://www.w3.org/2000/svg"
LOOK = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib; the page's own font replaces it
    "font.size": 9.5,
    "text.parse_math": False,  # a "$" in a name is a dollar sign
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "equimodal",
}


def draw(chart: Chart) -> str:
    """Return a chart as an SVG element for a page: scalable, with a description and unique identifiers.

    The same chart gives the same text.

    Example:
        >>> from equimodal.display.charts import Line, Style
        >>> line = Line("EDM", (0.4, None, 0.2), Style())
        >>> svg = draw(EpochChart(key="edm", title="EDM", caption="By epoch.", axis="EDM", lines=(line,)))
        >>> svg.startswith("<svg"), 'aria-label="EDM. By epoch."' in svg
        (True, True)
    """
    with look():
        file = BytesIO()
        FigureCanvasSVG(figure_of(chart)).print_svg(file, metadata={"Date": None})
    return _embeddable(file.getvalue(), chart)


@contextmanager
def look(**changes: Any) -> Iterator[None]:
    """Draw and save figures in our style, whatever the user's own settings of matplotlib are.

    Args:
        changes: settings that differ from `LOOK`.
    """
    with matplotlib.style.context(LOOK | changes, after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the font
        yield


@singledispatch
def figure_of(chart: Chart) -> Figure:
    """Return a chart as a figure of matplotlib, in points, without title and legend; call it within `look`."""
    raise TypeError(f"No drawing for a {type(chart).__name__}.")


@figure_of.register
def _draw_epochs(chart: EpochChart) -> Figure:
    figure, axes = _canvas(215, left=40, top=26 if chart.phases else 20)
    epochs = max(len(line.values) for line in chart.lines)
    for level in chart.levels:
        axes.axhline(level, color=LEVEL.colour, linewidth=LEVEL.width, dashes=LEVEL.dashes)
    for line in chart.lines:
        draw_line(axes, line, range(1, len(line.values) + 1))
    for epoch in chart.kept:
        axes.axvline(epoch, color=INK, linewidth=0.9, dashes=(1, 2))
    shown = [v for line in chart.lines for v in line.values if v is not None]
    if shown:
        fit_axis(axes.set_ylim, [*shown, *chart.levels], chart.limits)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "undefined in every epoch", transform=axes.transAxes, ha="center", color=MUTED)
    _epoch_axis(axes, epochs)
    _draw_phases(axes, chart, epochs)
    _axis_title(axes, chart.axis, above=10 if chart.phases else 0)
    return figure


def _draw_phases(axes: Axes, chart: EpochChart, epochs: int) -> None:
    for i, phase in enumerate(chart.phases):
        if i % 2:
            axes.axvspan(phase.first - 0.5, phase.last + 0.5, color=GRID, alpha=0.5, linewidth=0)
        room = int((phase.last - phase.first + 1) / epochs * WIDTH / 6.5)
        if room >= 4:
            middle = (phase.first + phase.last) / 2
            name = shorten(phase.name, room)
            axes.annotate(
                name,
                (middle, 1),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=MUTED,
            )


@figure_of.register
def _draw_curves(chart: CurveChart) -> Figure:
    figure, axes = _canvas(260, left=40, top=20)
    if chart.level is not None:
        axes.axhline(chart.level, color=LEVEL.colour, linewidth=LEVEL.width, dashes=LEVEL.dashes)
    for line in chart.lines:
        draw_line(axes, line, chart.places)
    if shown := values_of(chart.lines):
        fit_axis(axes.set_ylim, [*shown, *([] if chart.level is None else [chart.level])], chart.limits)
    fit_axis(axes.set_xlim, chart.places, (-math.inf, math.inf))
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_xlabel(chart.across, fontsize=9)
    _axis_title(axes, chart.axis)
    return figure


@figure_of.register
def _draw_order(chart: OrderChart) -> Figure:
    names = list(chart.places)
    figure, axes = _canvas(46 + max(14, min(30, 150 / len(names))) * len(names), left=label_room(names), top=6)
    epochs = max(len(places) for places in chart.places.values())
    height = axes.get_position().height * figure.get_figheight() * 72 / len(names) - 2
    for row, name in enumerate(names):
        for place in range(1, len(names) + 1):
            segments = _runs(chart.places[name], place)
            if segments:
                across = [x for first, last in segments for x in (first - 0.5, last + 0.5, math.nan)]
                shade = tint(chart.styles[name].colour, 0.15 + 0.85 * (place - 1) / (len(names) - 1))
                axes.plot(across, [row] * len(across), color=shade, linewidth=height, solid_capstyle="butt")
    _row_axis(axes, names)
    _epoch_axis(axes, epochs)
    axes.set_xlim(0.5, epochs + 0.5)
    return figure


def _runs(places: Sequence[int | None], place: int) -> list[tuple[int, int]]:
    """Return the ranges of epochs (first, last) in which a modality has this place."""
    found: list[tuple[int, int]] = []
    for epoch, here in enumerate(places, start=1):
        if here == place:
            if found and found[-1][1] == epoch - 1:
                found[-1] = (found[-1][0], epoch)
            else:
                found.append((epoch, epoch))
    return found


@figure_of.register
def _draw_rows(chart: RowChart) -> Figure:
    labels = [row.label for row in chart.rows]
    heights = [_PITCH * len(row.marks) + 10 for row in chart.rows]
    figure, axes = _canvas(46 + sum(heights), left=label_room(labels), top=6)
    if chart.level is not None:
        axes.axvline(chart.level, color=LEVEL.colour, linewidth=LEVEL.width, dashes=LEVEL.dashes)
    middles, top, shown = [], 0.0, [] if chart.level is None else [chart.level]
    for row, height in zip(chart.rows, heights, strict=True):
        middles.append(top + height / 2)
        for i, mark in enumerate(row.marks):
            at = middles[-1] + (i - (len(row.marks) - 1) / 2) * _PITCH
            shown += _draw_mark(axes, mark, at, chart)
        top += height
    _row_axis(axes, labels, middles, (top, 0))
    if shown:
        fit_axis(axes.set_xlim, [*shown, *([chart.origin] if chart.bars else [])], chart.limits)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xlabel(chart.axis, fontsize=9)
    return figure


def _draw_mark(axes: Axes, mark: Mark, at: float, chart: RowChart) -> list[float]:
    """Draw one mark; return the values that the axis must show."""
    if mark.value is None:
        axes.annotate(
            "undefined",
            (0, at),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=MUTED,
        )
        return []
    colour = mark.style.colour
    if mark.each:
        axes.plot(mark.each, [at + 5] * len(mark.each), "o", color=tint(colour, 0.5), markersize=2.5)
    if mark.interval is not None:
        axes.plot(mark.interval, [at, at], color=colour, linewidth=1.6, solid_capstyle="butt")
    if chart.bars:
        axes.barh(at, mark.value - chart.origin, 11, left=chart.origin, color=colour)
    else:
        axes.plot(mark.value, at, mark.style.marker or "o", color=colour, markersize=5.5)
    if mark.reference is not None:
        axes.plot([mark.reference] * 2, [at - 7, at + 7], color=INK, linewidth=1.8, solid_capstyle="butt")
    return [v for v in (mark.value, mark.reference, *(mark.interval or ()), *mark.each) if v is not None]


@figure_of.register
def _draw_scatter(chart: ScatterChart) -> Figure:
    figure, axes = _canvas(240, left=44, top=20)
    for point in chart.points:
        if point.x_interval is not None:
            axes.plot(point.x_interval, [point.y] * 2, color=MUTED, linewidth=1.0, alpha=0.6)
        if point.y_interval is not None:
            axes.plot([point.x] * 2, point.y_interval, color=MUTED, linewidth=1.0, alpha=0.6)
    for point in chart.points:
        axes.plot(point.x, point.y, "o", color="white", markeredgecolor=INK, markersize=12)
        axes.annotate(point.label, (point.x, point.y), ha="center", va="center_baseline", fontsize=8.5)
    x = [v for p in chart.points for v in (p.x, *(p.x_interval or ()))]
    y = [v for p in chart.points for v in (p.y, *(p.y_interval or ()))]
    if x:
        fit_axis(axes.set_xlim, x, (-math.inf, math.inf))
        fit_axis(axes.set_ylim, y, chart.limits)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_xlabel(chart.across, fontsize=9)
    _axis_title(axes, chart.axis)
    return figure


figure_of.register(MatrixChart, matrix_figure)
figure_of.register(CurveGrid, curve_grid_figure)
figure_of.register(PointGrid, point_grid_figure)


def _canvas(height: float, left: float, top: float) -> tuple[Figure, Axes]:
    """Return a figure of some height, with axes inside margins; all in points."""
    bottom, right = 34.0, 12.0
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (bottom + top) / height))
    return figure, axes


def _epoch_axis(axes: Axes, epochs: int) -> None:
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", fontsize=9)
    axes.grid(axis="y", color=GRID, linewidth=0.6)


def _row_axis(
    axes: Axes,
    labels: Sequence[str],
    at: Sequence[float] | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    axes.set_yticks(range(len(labels)) if at is None else at, [shorten(label) for label in labels], color=INK)
    axes.set_ylim(*(limits or (len(labels) - 0.5, -0.5)))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _axis_title(axes: Axes, text: str, above: float = 0) -> None:
    axes.set_title(text, loc="left", fontsize=9, color=MUTED, pad=6 + above)


def _embeddable(svg: bytes, chart: Chart) -> str:
    """Turn matplotlib's file into an element of a page: unique identifiers, a description, short numbers."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", f"{chart.title}. {chart.caption}")
    for parent in list(root.iter()):
        if not (parent.text or "").strip():
            parent.text = None
        parent.tail = None
        for child in list(parent):
            if child.tag.endswith("}metadata") or child.find(f"{{{_SVG}}}style") is not None:
                parent.remove(child)  # its one rule, round line joins, is in the page's style sheet
        for name, value in parent.attrib.items():
            parent.set(name, _attribute(name, value, chart.key))
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name.endswith("href"):
        return value.replace("#", f"#{key}-")
    if name in ("d", "x", "y", "transform", "viewBox"):
        short = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.4g}", value)
        return re.sub(r"\s*([A-Za-z])\s*", r"\1", " ".join(short.split())) if name == "d" else short
    return value.replace("url(#", f"url(#{key}-") if name in ("clip-path", "style") else value
