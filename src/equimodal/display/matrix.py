"""Draw a matrix as a heat map with its numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from equimodal.display.charts import ABOVE, BELOW, INK, MUTED, MatrixChart
from equimodal.display.labels import room, wrap
from equimodal.tables.words import number

_NARROWEST = 374.0  # points, as wide as other figures
_LINE = 12.0  # points of one line of a label
_CELL = 20.0  # least height of a cell
_STRONGEST = 0.7  # shade of the largest number: dark text can be read on it
_TOP, _BOTTOM, _RIGHT = 34.0, 10.0, 12.0
_BLANK = "#eef0f3"


def matrix_figure(chart: MatrixChart) -> Figure:
    """Return the figure of a matrix. Labels are never cut: rows have theirs, columns the numbers of the rows."""
    labels = [wrap(f"{place} {label}") for place, label in enumerate(chart.labels, start=1)]
    size = len(labels)
    left = room([line for lines in labels for line in lines])
    cell = 8 + 5.0 * max(len(number(value, chart.digits, sign=chart.signed)) for value in (*_shown(chart), 0.0))
    width = max(_NARROWEST, left + cell * size + _RIGHT)
    heights = np.array([max(_CELL, _LINE * len(lines) + 6) for lines in labels])
    height = heights.sum() + _TOP + _BOTTOM
    figure = Figure(figsize=(width / 72, height / 72))
    box = (left / width, _BOTTOM / height, 1 - (left + _RIGHT) / width, 1 - (_TOP + _BOTTOM) / height)
    axes = figure.add_axes(box)
    middles = np.cumsum(heights) - heights / 2
    largest = max(map(abs, _shown(chart)), default=0.0) if chart.signed else 1.0
    for column in range(size):
        values = [row[column] for row in chart.values]
        colours = [_BLANK if value is None else _shade(value, largest) for value in values]
        axes.barh(middles, 1, heights, left=column, color=colours, edgecolor="white", linewidth=0.8)
        for value, middle in zip(values, middles.tolist(), strict=True):
            if value is not None and (chart.signed or value):
                text = number(value, chart.digits, sign=chart.signed)
                axes.text(column + 0.5, middle, text, ha="center", va="center", fontsize=8, color=INK)
    axes.set_xlim(0, size)
    axes.set_ylim(heights.sum(), 0)
    axes.set_yticks(middles, ["\n".join(lines) for lines in labels], color=INK)
    axes.set_xticks(np.arange(size) + 0.5, [str(place) for place in range(1, size + 1)], color=INK)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    # Not above the axes: they may begin far to the right, beside long labels.
    figure.text(_RIGHT / width, 1 - _LINE / height, chart.axis, va="center", fontsize=9, color=MUTED)
    return figure


def _shown(chart: MatrixChart) -> list[float]:
    return [value for row in chart.values for value in row if value is not None]


def _shade(value: float, largest: float) -> str:
    return tint(ABOVE if value >= 0 else BELOW, _STRONGEST * min(1.0, abs(value) / largest) if largest else 0.0)


def tint(colour: str, strength: float) -> str:
    """Return a colour mixed with white.

    Example:
        >>> tint("#000000", 0.0), tint("#000000", 1.0)
        ('#ffffff', '#000000')
    """
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))
