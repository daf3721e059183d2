"""Figures as separate files, for papers and slides: with title and legend, which a page shows as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from equimodal.display.charts import INK, Chart, Entry, Style
from equimodal.display.drawing import draw
from equimodal.files import write_text

_SVG = "{http://www.w3.org/2000/svg}"
_LINE = 15.0  # points between two lines of text
_CHARACTER = 5.6  # points per character, roughly
_SWATCH = 24.0


def write_figures(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write each chart as an SVG file named after its key; return the paths.

    Raises:
        RunError: if one could not be written.
    """
    written = [folder / f"{chart.key}.svg" for chart in charts]
    for chart, path in zip(charts, written, strict=True):
        write_text(path, stand_alone(chart), then="write it again")
    return written


def stand_alone(chart: Chart) -> str:
    """Return a chart as the text of an SVG file, on white, with its title above and its legend below.

    Example:
        >>> from equimodal.display.charts import Line, EpochChart, Style
        >>> line = Line("EDM", (0.4, None, 0.2), Style())
        >>> chart = EpochChart(key="edm", title="EDM by epoch", caption="", axis="EDM", lines=(line,),
        ...                    legend=(Entry("EDM", Style()),))
        >>> stand_alone(chart).count("EDM by epoch")  # the title, and what a screen reader says
        2
    """
    root = ElementTree.fromstring(draw(chart))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    rows = _rows(chart.legend, width)
    whole = height + _LINE * (len(rows) + 1.5) + 4
    root.set("viewBox", f"0 {-_LINE * 1.5:g} {width:g} {whole:g}")
    root.set("width", f"{width:g}pt")
    root.set("height", f"{whole:g}pt")
    root.set("font-family", "DejaVu Sans, Arial, sans-serif")
    ground = {"y": f"{-_LINE * 1.5:g}", "width": f"{width:g}", "height": f"{whole:g}", "fill": "white"}
    root.insert(0, ElementTree.Element(f"{_SVG}rect", ground))
    _text(root, chart.title, 6, -_LINE / 2, INK, size=11)
    for number, row in enumerate(rows, start=1):
        for entry, left in row:
            _entry(root, entry, left, height + _LINE * number)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _rows(legend: Sequence[Entry], width: float) -> list[list[tuple[Entry, float]]]:
    """Return the entries in lines, each with its horizontal position."""
    rows: list[list[tuple[Entry, float]]] = []
    left = width
    for entry in legend:
        need = (_SWATCH + 12 if entry.style else 0) + _CHARACTER * len(entry.label) + 14
        if not rows or left + need > width:
            rows.append([])
            left = 6.0
        rows[-1].append((entry, left))
        left += need
    return rows


def _entry(root: ElementTree.Element, entry: Entry, left: float, base: float) -> None:
    style = entry.style
    if style is not None:
        if style.width:
            _line(root, style, left, base)
        _text(root, style.glyph, left + _SWATCH / 2 - 4, base, style.colour)
        left += _SWATCH + 4
    _text(root, entry.label, left, base, INK)


def _line(root: ElementTree.Element, style: Style, left: float, base: float) -> None:
    line = {
        "x1": f"{left:g}",
        "x2": f"{left + _SWATCH:g}",
        "y1": f"{base - 3:g}",
        "y2": f"{base - 3:g}",
        "stroke": style.colour,
        "stroke-width": f"{style.width:g}",
    }
    if style.dashes:
        line["stroke-dasharray"] = " ".join(f"{length:g}" for length in style.dashes)
    ElementTree.SubElement(root, f"{_SVG}line", line)


def _text(root: ElementTree.Element, text: str, x: float, y: float, colour: str, size: float = 9.5) -> None:
    place = {"x": f"{x:g}", "y": f"{y:g}", "fill": colour, "font-size": f"{size:g}"}
    ElementTree.SubElement(root, f"{_SVG}text", place).text = text
