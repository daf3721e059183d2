import re
from dataclasses import replace
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from equimodal.display.charts import (
    CurveChart,
    EpochChart,
    Line,
    Mark,
    MatrixChart,
    OrderChart,
    Point,
    Row,
    RowChart,
    ScatterChart,
    Span,
    Style,
    modality_styles,
)
from equimodal.display.drawing import _runs, draw
from equimodal.display.labels import cells, shorten, wrap
from equimodal.display.matrix import matrix_figure

SVG = "{http://www.w3.org/2000/svg}"
COMMON: dict[str, Any] = {
    "key": "this-chart",
    "title": "Title <&>",
    "caption": 'It\'s "so".',
    "axis": "value",
}


def epochs(**changes: Any) -> EpochChart:
    lines = (Line("a", (0.25, 0.5, None, 1.0), Style("#123456", "s")),)
    chart = EpochChart(**COMMON, lines=lines, limits=(0.0, 2.0))
    return replace(chart, **changes)


def rows(label: str = "method", **changes: Any) -> RowChart:
    mark = Mark(0.5, Style("#123456", "s"), (0.4, 0.6), 0.55, (0.45, 0.55))
    chart = RowChart(**COMMON, rows=(Row(label, (mark,)), Row("other", (Mark(None, Style()),))))
    return replace(chart, **changes)


def order() -> OrderChart:
    return OrderChart(**COMMON, places={"a": (1, 1, 2), "b": (2, 2, None)}, styles=modality_styles(["a", "b"]))


def scatter() -> ScatterChart:
    return ScatterChart(**COMMON, across="EDM", points=(Point("1", 0.1, 0.9, (0.0, 0.2), (0.8, 1.0)),))


def curves(**changes: Any) -> CurveChart:
    line = Line("a", (0.2, 0.4, 0.8), Style("#123456", ""), ((0.1, 0.3), None, (0.7, 0.9)))
    return replace(CurveChart(**COMMON, across="share", places=(0.0, 1.0, 3.0), lines=(line,), level=0.5), **changes)


def matrix(**changes: Any) -> MatrixChart:
    chart = MatrixChart(**COMMON, labels=("one", "two"), values=((None, 0.2), (-0.1, None)), signed=True)
    return replace(chart, **changes)


ALL = [epochs(), epochs(phases=(Span("one", 1, 2), Span("two", 3, 4)), kept=(2,)), rows(), rows(bars=True)]
ALL += [order(), scatter(), curves(), matrix(), matrix(signed=False, values=((0.0, 1.0), (None, None)))]


@pytest.mark.parametrize("chart", ALL)
def test_svg_is_described_scalable_and_the_same_each_time(chart):
    svg = draw(chart)
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Title <&>. It\'s "so".'
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    assert draw(chart) == svg


@pytest.mark.parametrize("chart", ALL)
def test_identifiers_are_the_charts_own_and_every_reference_is_met(chart):
    root = ElementTree.fromstring(draw(chart))
    ids = [name for node in root.iter() if (name := node.get("id"))]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("this-chart-") for name in ids)
    wanted = [value[1:] for node in root.iter() for key, value in node.attrib.items() if key.endswith("href")]
    wanted += [clip[5:-1] for node in root.iter() if (clip := node.get("clip-path"))]
    assert wanted
    assert set(wanted) <= set(ids)


def paths(svg, colour):
    """The shapes of the paths stroked in a colour."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return [node.get("d", "") for node in found if f"stroke: {colour}" in (node.get("style") or "")]


def test_a_line_is_drawn_to_scale_with_a_gap_where_undefined():
    line = Line("a", (0.25, 0.5, 1.0, None, 0.75), Style("#123456", ""))
    svg = draw(epochs(lines=(line,)))
    (path,) = [path for path in paths(svg, "#123456") if path.count("M") == 2]  # up to the gap, and after
    numbers = [float(token) for token in re.findall(r"[\d.]+", path)]
    x1, y1, x2, y2, x3, y3 = numbers[:6]
    assert len(numbers) == 8
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.02)
    assert (y3 - y2) / (y2 - y1) == pytest.approx(2, rel=1e-2)
    assert y1 > y2 > y3  # SVG counts downwards


def test_a_curve_is_drawn_to_scale_in_both_directions():
    (path,) = [path for path in paths(draw(curves()), "#123456") if path.count("L") == 2]
    x1, y1, x2, y2, x3, y3 = (float(token) for token in re.findall(r"[\d.]+", path))
    assert (x3 - x2) / (x2 - x1) == pytest.approx(2, rel=1e-2)
    assert (y3 - y2) / (y2 - y1) == pytest.approx(2, rel=1e-2)
    assert y1 > y2 > y3


def test_a_curve_without_a_defined_value_is_drawn():
    chart = curves(lines=(Line("a", (None, None, None), Style()),), level=None)
    assert "share" in draw(chart)


def test_undefined_throughout_is_said():
    svg = draw(epochs(lines=(Line("a", (None, None), Style()),)))
    assert "undefined in every epoch" in svg


def test_undefined_mark_is_said():
    assert "undefined" in draw(rows())


@pytest.mark.parametrize(
    "name", ["<b>&\"'", "$x^2$ and $", "形態素", "naïve\tname\n2", "\x00\x1b[0m", 'url(#a) id="b"', "😀" * 40]
)
def test_any_name_is_text_and_nothing_else(name):
    root = ElementTree.fromstring(draw(rows(name)))
    assert shorten(name) in [node.text for node in root.iter(f"{SVG}text")]
    assert not [node for node in root.iter() if node.tag == f"{SVG}b"]


@given(st.text(max_size=80), st.integers(5, 30))
def test_shortened_names_fit_and_keep_their_ends(name, width):
    short = shorten(name, width)
    assert "\n" not in short
    assert len(short) <= width
    clean = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if "…" in short and "…" not in clean:
        front, back = short.split("…")
        assert clean.startswith(front)
        assert clean.endswith(back)
    elif "…" not in short:
        assert short == clean


@given(st.lists(st.sampled_from([None, 1, 2, 3]), max_size=20), st.integers(1, 3))
def test_runs_are_the_epochs_at_a_place(places, place):
    covered = [epoch for first, last in _runs(places, place) for epoch in range(first, last + 1)]
    assert covered == [epoch for epoch, here in enumerate(places, start=1) if here == place]
    gaps = product(_runs(places, place), repeat=2)
    assert all(one[1] + 1 != other[0] for one, other in gaps)  # neighbours are joined


def texts(svg):
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_matrix_shows_its_numbers_with_signs_and_shades():
    svg = draw(matrix(values=((None, 0.25), (-0.5, None))))
    assert {"+0.25", "\u22120.50", "1 one", "2 two", "1", "2", "value"} == set(texts(svg))
    fills = re.findall(r"fill: (#[0-9a-f]{6}); stroke: #ffffff", svg)
    assert fills == ["#eef0f3", "#e28e4d", "#a6cee4", "#eef0f3"]  # by column; the larger number has the stronger shade


def test_a_matrix_of_shares_leaves_nothing_where_nothing_is():
    assert sorted(texts(draw(matrix(signed=False, values=((0.0, 1.0), (0.25, 0.75)))))) == sorted(
        ["0.25", "0.75", "1.00", "1 one", "2 two", "1", "2", "value"]
    )


@pytest.mark.parametrize("name", ["a" * 300, "many words " * 30, "形態素" * 40, "<b>&\"' \x00 x", "$x^2$"])
def test_labels_of_a_matrix_are_never_cut(name):
    shown = "".join(texts(draw(matrix(labels=(name, "b")))))
    letters = "".join("".join(c if c.isprintable() else " " for c in name).split())
    assert letters in "".join(shown.split())


@pytest.mark.parametrize("labels", [("a", "b"), ("word " * 12, "a" * 60), [str(place) for place in range(12)]])
@pytest.mark.parametrize("axis", ["taken for class no.", "interaction; columns have the numbers of the rows"])
def test_the_axis_of_a_matrix_is_inside_its_figure(labels, axis):
    values = tuple((0.1,) * len(labels) for _ in labels)
    figure = matrix_figure(matrix(labels=tuple(labels), values=values, axis=axis))
    figure.draw_without_rendering()
    (text,) = (text for text in figure.findobj(Text) if text.get_text() == axis)
    box = text.get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    assert figure.axes[0].get_tightbbox().y1 <= box.y0 and box.y1 <= figure.bbox.y1  # above the numbers of the columns


@given(st.text(max_size=80), st.integers(5, 30))
def test_wrapped_names_fit_and_lose_nothing(name, width):
    lines = wrap(name, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(c if c.isprintable() else " " for c in name).split())
