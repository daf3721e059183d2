"""Figures as plain data. Nothing is drawn here, so the numbers can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INK = "#1f2933"
MUTED = "#6b7785"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito, 2008
ABOVE, BELOW = _COLOURS[:2]
"""Colours of numbers above and below 0."""
_GLYPHS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "X": "✖", "<": "◀", ">": "▶", "*": "★"}
_MARKERS = tuple(_GLYPHS)
_STROKES = {"o": "●", "_": "━", "|": "┃"}
"""Markers of points of which a figure has thousands: each is one short stroke."""


@dataclass(frozen=True)
class Style:
    """How one modality looks in every figure; styles never differ by colour alone.

    Args:
        colour: CSS colour.
        marker: matplotlib's name of the marker; "" for none.
        dashes: lengths of dash and gap; empty: a solid line.
        width: of the line.
    """

    colour: str = INK
    marker: str = "o"
    dashes: tuple[float, ...] = ()
    width: float = 1.6

    @property
    def glyph(self) -> str:
        """The marker as a character, for legends in text."""
        return (_GLYPHS | _STROKES).get(self.marker, "")


FUSED = Style(INK, "", width=2.4)
LEVEL = Style(MUTED, "", (4, 3), 1.2)


def modality_styles(modalities: Sequence[str]) -> dict[str, Style]:
    """Return the style of each modality: six colours that colour-blind readers can distinguish, then the same dashed.

    Example:
        >>> styles = modality_styles(["audio", "image"])
        >>> styles["audio"].colour, styles["image"].marker
        ('#0072B2', 's')
    """
    rounds = len(_COLOURS)
    return {
        name: Style(
            _COLOURS[i % rounds],
            _MARKERS[i % len(_MARKERS)],
            ((), (4.0, 1.5), (1.0, 1.2))[i // rounds % 3],
        )
        for i, name in enumerate(modalities)
    }


def class_styles(classes: Sequence[str]) -> dict[str, Style]:
    """Return the style of each class in figures of many points; from the nineteenth on styles are used again.

    Example:
        >>> styles = class_styles(["cat", "dog"])
        >>> styles["cat"].glyph, styles["dog"].glyph
        ('●', '━')
    """
    colours, strokes = len(_COLOURS), len(_STROKES)
    return {
        name: Style(_COLOURS[i % colours], tuple(_STROKES)[(i + i // colours) % strokes], width=0.0)
        for i, name in enumerate(classes)
    }


@dataclass(frozen=True)
class Entry:
    """One entry of a legend; pages show legends as text below the figure."""

    label: str
    style: Style | None = None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What every figure has.

    Args:
        key: its name on the page, unique there; lower-case letters and hyphens.
        title: what it shows.
        caption: how to read it.
        axis: what the values are; the label of the axis.
        limits: values beyond these are cut off, since ratios of small numbers are unbounded.
        legend: its entries.
    """

    key: str
    title: str
    caption: str
    axis: str
    limits: tuple[float, float] = (float("-inf"), float("inf"))
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Line:
    """One value per epoch or place (None where undefined), with an optional interval around each."""

    label: str
    values: tuple[float | None, ...]
    style: Style
    band: tuple[tuple[float, float] | None, ...] = ()


@dataclass(frozen=True)
class Span:
    """Epochs `first` to `last` (counted from 1) are the phase called `name`."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class EpochChart(Chart):
    """Lines over epochs, counted from 1.

    Args:
        lines: one or more.
        levels: constant values to compare with.
        kept: epochs whose weights were kept.
        phases: ranges of epochs, if a run has several.
    """

    lines: tuple[Line, ...]
    levels: tuple[float, ...] = ()
    kept: tuple[int, ...] = ()
    phases: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CurveChart(Chart):
    """Lines over a number that is varied.

    Args:
        across: what is varied; the label of the horizontal axis.
        places: its values, ascending.
        lines: one or more, each with one value per place.
        level: a constant value to compare with.
    """

    across: str
    places: tuple[float, ...]
    lines: tuple[Line, ...]
    level: float | None = None


@dataclass(frozen=True, kw_only=True)
class CurveGrid(Chart):
    """Small panels of lines over a number that is varied, with one vertical axis for all.

    Args:
        across: what is varied; the label of the horizontal axes.
        places: its values, ascending.
        panels: the lines of each panel, by its title; each line has one value per place.
    """

    across: str
    places: tuple[float, ...]
    panels: dict[str, tuple[Line, ...]]


@dataclass(frozen=True)
class Cloud:
    """Points of one style: their coordinates from 0 to 1."""

    style: Style
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class PointGrid(Chart):
    """Small panels of many points, without axes.

    Args:
        columns: headers.
        rows: the clouds of each column's panel, by the label of the row; None: nothing is there.
    """

    columns: tuple[str, ...]
    rows: dict[str, tuple[tuple[Cloud, ...] | None, ...]]


@dataclass(frozen=True, kw_only=True)
class OrderChart(Chart):
    """The place of each modality in every epoch's order, 1 being first; None: no order."""

    places: dict[str, tuple[int | None, ...]]
    styles: dict[str, Style]


@dataclass(frozen=True)
class Mark:
    """A value in a row, with its interval and other values.

    Args:
        value: drawn as a bar or a point; None: undefined.
        style: colour and marker.
        interval: low and high.
        reference: a second value, drawn as a vertical stroke.
        each: single values (one per seed), drawn as small points.
    """

    value: float | None
    style: Style
    interval: tuple[float, float] | None = None
    reference: float | None = None
    each: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """A labelled row of one or more marks."""

    label: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class RowChart(Chart):
    """Rows of marks along a common horizontal axis.

    Args:
        rows: from top to bottom.
        bars: draw values as bars from `origin` instead of points.
        origin: where bars start.
        level: a constant value to compare with.
    """

    rows: tuple[Row, ...]
    bars: bool = False
    origin: float = 0.0
    level: float | None = None


@dataclass(frozen=True)
class Point:
    """A labelled point with intervals in both directions."""

    label: str
    x: float
    y: float
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class ScatterChart(Chart):
    """Points with short labels; `axis` names the vertical values, `across` the horizontal ones."""

    across: str
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MatrixChart(Chart):
    """A square matrix as a heat map with its numbers; a column has the number of the row of the same name.

    Args:
        labels: of the rows; they are never cut.
        values: row by row; None: nothing is there.
        signed: numbers above and below 0 have colours of their own, and a sign. Otherwise they lie from 0 to 1, and
            those that are 0 are left empty.
        digits: after the decimal point.
    """

    labels: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    signed: bool = False
    digits: int = 2
