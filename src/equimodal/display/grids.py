"""Draw small multiples: panels of curves that share an axis, and panels of many points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from equimodal.display.charts import INK, MUTED, Cloud, CurveGrid, PointGrid
from equimodal.display.labels import shorten
from equimodal.display.lines import GRID, WIDTH, draw_line, fit_axis, values_of

_ABREAST = 2  # panels of curves side by side
_PANEL = 92.0  # points, height of a panel of curves
_LEFT, _TOP, _BOTTOM, _RIGHT, _BETWEEN = 40.0, 34.0, 34.0, 8.0, 14.0
_TITLE = 18.0  # above each row of panels
_LARGEST = 150.0  # a panel of points
_GAP = 6.0  # between panels of points
_MARGIN = 3.0  # between the points of a panel and its frame
_STROKE = 1.2  # half the length of a marker


def curve_grid_figure(chart: CurveGrid) -> Figure:
    """Return the figure of small panels of curves, two abreast; all have the same vertical axis."""
    rows = math.ceil(len(chart.panels) / _ABREAST)
    height = _TOP + _BOTTOM + rows * (_PANEL + _TITLE)
    width = (WIDTH - _LEFT - _RIGHT - _BETWEEN * (_ABREAST - 1)) / _ABREAST
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    shown = values_of([line for lines in chart.panels.values() for line in lines])
    for number, (title, lines) in enumerate(chart.panels.items()):
        row, column = divmod(number, _ABREAST)
        left, top = _LEFT + column * (width + _BETWEEN), _TOP + row * (_PANEL + _TITLE)
        axes = _panel(figure, left, top, width, _PANEL)
        for line in lines:
            draw_line(axes, line, chart.places)
        if shown:
            fit_axis(axes.set_ylim, shown, chart.limits)
        fit_axis(axes.set_xlim, chart.places, (-math.inf, math.inf))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xticks(_apart(chart.places), [f"{place:g}" for place in _apart(chart.places)])
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.set_title(shorten(title, int(width / 6.2)), loc="left", fontsize=9, color=INK, pad=4)
        axes.tick_params(labelleft=column == 0, labelbottom=number + _ABREAST >= len(chart.panels))
        if number + _ABREAST >= len(chart.panels):
            axes.set_xlabel(chart.across, fontsize=9)
    if figure.axes:
        _label(figure.axes[0], chart.axis, _TOP - 10, ha="left")
    return figure


def point_grid_figure(chart: PointGrid) -> Figure:
    """Return the figure of panels of points: a row for each label, a column for each header, squares of one size."""
    columns = len(chart.columns)
    side = min(_LARGEST, float((WIDTH - 2 * _RIGHT - _GAP * (columns - 1)) // columns))
    height = _TITLE + len(chart.rows) * (side + _TITLE) + 4
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    for row, (label, panels) in enumerate(chart.rows.items()):
        top = _TITLE + row * (side + _TITLE) + _TITLE
        for column, clouds in enumerate(panels):
            axes = _panel(figure, _RIGHT + column * (side + _GAP), top, side, side)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(visible=True, color=GRID)
            if column == 0:
                _label(axes, shorten(label, 56), 6, ha="left", color=INK)
            if row == 0:
                _label(axes, chart.columns[column], top - 9)
            for cloud in clouds or ():
                axes.add_artist(_points(axes, cloud, side))
            if not clouds:
                axes.text(0.5, 0.5, "nothing", ha="center", va="center", fontsize=8.5, color=MUTED)
    return figure


def _label(axes: Axes, text: str, above: float, ha: str = "center", color: str = MUTED) -> None:
    """Write a line whose middle is so many points above axes; it moves with them."""
    across = {"left": 0.0, "center": 0.5}[ha]
    place = {"xytext": (0, above), "xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(text, (across, 1), fontsize=9, color=color, ha=ha, va="center", **place)


def _points(axes: Axes, cloud: Cloud, side: float) -> PathPatch:
    """Return the points of a panel as one path, rounded to a tenth of a point: a few letters each on the page."""
    across, up = {"_": (_STROKE, 0.0), "|": (0.0, _STROKE)}.get(cloud.style.marker, (0.0, 0.0))
    dots = across == up  # strokes of no length, with round ends
    inside = side - 2 * _MARGIN
    x, y = (np.round(_MARGIN + inside * np.array(places), 1) for places in (cloud.x, cloud.y))
    ends = np.stack([x - across, y - up, x + across, y + up], 1).reshape(-1, 2)
    codes = [Path.MOVETO, Path.CLOSEPOLY if dots else Path.LINETO] * len(x)
    return PathPatch(
        Path(ends, codes),
        facecolor="white",  # matplotlib simplifies long paths that have no face
        edgecolor=cloud.style.colour,
        linewidth=2.2 if dots else 1.1,
        capstyle="round" if dots else "butt",
        alpha=0.8,
        transform=Affine2D().scale(1 / side) + axes.transAxes,
        clip_on=False,
    )


def _panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place of the figure; all in points, from the upper left."""
    across, down = figure.get_figwidth() * 72, figure.get_figheight() * 72
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _apart(places: Sequence[float]) -> list[float]:
    """Return the places whose numbers can stand side by side; the last is always among them.

    Example:
        >>> _apart([0, 1, 10, 20]), _apart([0, 30, 59, 60])
        ([0, 10, 20], [0, 30, 60])
    """
    least = (places[-1] - places[0]) / 8
    kept = [places[-1]]
    for place in reversed(places[:-1]):
        if kept[-1] - place > least and place - places[0] > least:
            kept.append(place)
    return [*([places[0]] if len(places) > 1 else []), *reversed(kept)]
