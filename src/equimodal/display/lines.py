"""What figures with curves share: a line with its interval, and an axis that fits its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from equimodal.display.charts import Line

WIDTH = 374.0
"""Points across a figure: a phone's screen shows its text at a readable size."""
GRID = "#e4e8ec"


def draw_line(axes: Axes, line: Line, at: Sequence[float]) -> None:
    """Draw a line at some places; values that have no neighbour are points."""
    if line.band:
        low, high = zip(*((math.nan, math.nan) if ends is None else ends for ends in line.band), strict=True)
        axes.fill_between(at, low, high, color=line.style.colour, alpha=0.15, linewidth=0)
    every = math.ceil(len(line.values) / 10)
    defined = [value is not None for value in line.values]
    alone = [here and not any(defined[max(0, i - 1) : i] + defined[i + 1 : i + 2]) for i, here in enumerate(defined)]
    axes.plot(
        at,
        [math.nan if value is None else value for value in line.values],
        color=line.style.colour,
        linewidth=line.style.width,
        linestyle=(0, line.style.dashes or None),
        marker=line.style.marker or ("o" if any(alone) else None),
        markersize=3.5,
        markevery=[i for i in range(len(line.values)) if alone[i] or (line.style.marker and i % every == 0)],
    )


def values_of(lines: Sequence[Line]) -> list[float]:
    """Return all that an axis must show of some lines: their values and the ends of their intervals."""
    ends = [end for line in lines for band in line.band if band is not None for end in band]
    return [value for line in lines for value in line.values if value is not None] + ends


def fit_axis(set_limits: Any, values: Sequence[float], bounds: tuple[float, float]) -> None:
    """Fit an axis to its values, within the bounds."""
    low, high = max(min(values), bounds[0]), min(max(values), bounds[1])
    margin = 0.06 * (high - low) if high - low > 1e-9 else 0.05  # between numbers that are the same there are no ticks
    set_limits(low - margin, high + margin)
