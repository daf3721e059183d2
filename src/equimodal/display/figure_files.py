"""Figures as separate files, for papers and slides: with title and legend, which a page shows as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equimodal.display.charts import INK, Chart, Entry, Style
from equimodal.display.drawing import figure_of, look
from equimodal.display.labels import plain, room, wrap
from equimodal.files import write_whole

_LINE = 15.0  # points between two lines of text
_SIDE = 6.0  # points beside the text
_SWATCH = 24.0  # points of the piece of a line in the legend
_CHARACTER = room(["xx"]) - room(["x"])  # points
_FALLBACKS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "IPAexGothic", "Unifont")
"""Fonts for what the first one lacks, Chinese and Japanese above all; those that are installed are used."""


_Placed = tuple[float, Style | None, str]
FORMATS = {"svg": (FigureCanvasSVG, "Date"), "pdf": (FigureCanvasPdf, "CreationDate")}
"""Canvas of each format, and what it would say of today."""


def write_figures(charts: Sequence[Chart], folder: Path, formats: Sequence[str] = tuple(FORMATS)) -> list[Path]:
    """Write each chart as SVG and as PDF, in files named after its key; return the paths.

    Both are vector graphics on white. The SVG keeps its text as text in the reader's fonts. The PDF holds its fonts
    (TrueType, as journals ask for). The same chart gives the same bytes, with the same fonts installed.

    Args:
        charts: with different keys.
        folder: it is made if it does not exist.
        formats: "svg", "pdf" or both.

    Raises:
        RunError: if one could not be written.

    Example:
        >>> import tempfile
        >>> from equimodal.display.charts import EpochChart, Line
        >>> chart = EpochChart(key="edm", title="EDM by epoch", caption="", axis="EDM",
        ...                    lines=(Line("EDM", (0.4, None, 0.2), Style()),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write_figures([chart], Path(folder))]
        ['edm.svg', 'edm.pdf']
    """
    written = []
    for chart in charts:
        with look(**{"font.family": "sans-serif", "font.sans-serif": _fonts(), "pdf.fonttype": 42}):
            figure = stand_alone(chart)
            for suffix in formats:
                canvas, date = FORMATS[suffix]
                written.append(folder / f"{chart.key}.{suffix}")
                _save(canvas(figure), written[-1], {"Title": plain(chart.title), date: None})
    return written


def _save(canvas: FigureCanvasSVG | FigureCanvasPdf, path: Path, metadata: dict[str, Any]) -> None:
    def write(temporary: Path) -> None:
        canvas.print_figure(temporary, format=path.suffix[1:], metadata=metadata)

    write_whole(path, write, then="write it again")


def stand_alone(chart: Chart) -> Figure:
    """Return a chart as a figure with its title above and its legend below; call it within `look`.

    Names are shown whole: those that are too long for one line go on in the next.
    """
    figure = figure_of(chart)
    width, height = (72 * size for size in figure.get_size_inches())
    title = wrap(chart.title, int((width - 2 * _SIDE) / _CHARACTER * 0.85))
    rows = list(_rows(chart.legend, width - 2 * _SIDE))
    above, below = _LINE * len(title) + 4, (_LINE * len(rows) + 6) * bool(rows)
    whole = above + height + below
    figure.set_size_inches(width / 72, whole / 72)
    for axes in figure.axes:
        left, bottom, across, up = axes.get_position().bounds
        axes.set_position((left, (below + bottom * height) / whole, across, up * height / whole))
    for number, line in enumerate(title, start=1):
        _text(figure, line, _SIDE, whole - _LINE * number + 2, 11)
    for number, row in enumerate(rows):
        for left, style, text in row:
            _entry(figure, style, text, _SIDE + left, below - _LINE * number - 8)
    return figure


def _rows(legend: Sequence[Entry], width: float) -> Iterator[list[_Placed]]:
    """Yield the lines of a legend: of each text in it the place, and the style if a swatch is to be drawn before it."""
    row: list[_Placed] = []
    left = 0.0
    for entry in legend:
        indent = _SWATCH + 4 if entry.style else 0.0
        lines = wrap(entry.label, int((width - indent) / _CHARACTER))
        need = indent + room(lines)
        if row and (len(lines) > 1 or left + need > width):
            yield row
            row, left = [], 0.0
        row.append((left, entry.style, lines[0]))
        left += need
        for line in lines[1:]:
            yield row
            row = [(indent, None, line)]
            left = width
    if row:
        yield row


def _entry(figure: Figure, style: Style | None, text: str, left: float, middle: float) -> None:
    if style is not None:
        ends = [left / 72, (left + _SWATCH / 2) / 72, (left + _SWATCH) / 72]
        line = Line2D(
            ends,
            [middle / 72] * 3,
            color=style.colour,
            linewidth=style.width,
            linestyle=(0, style.dashes) if style.dashes else "-",
            marker=style.marker or None,
            markersize=4.5,
            markevery=[1],
            transform=figure.dpi_scale_trans,
        )
        figure.add_artist(line)
        left += _SWATCH + 4
    _text(figure, text, left, middle - 3.5, 9.5)


def _text(figure: Figure, text: str, left: float, base: float, size: float) -> None:
    figure.text(left / 72, base / 72, text, fontsize=size, color=INK, transform=figure.dpi_scale_trans)


@cache
def _fonts() -> list[str]:
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)]
