"""Small multiples: what is drawn, how much it takes, and that names stay text."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.lines import Line2D

from equimodal.display.charts import Cloud, CurveGrid, Entry, Line, PointGrid, Style, class_styles
from equimodal.display.drawing import draw, look
from equimodal.display.figure_files import stand_alone

COMMON = {"key": "grid", "title": "Title <&>", "caption": 'It\'s "so".', "axis": "value"}
CLASSES = class_styles(["cat", "dog", "eel"])


def points(count: int = 3) -> PointGrid:
    at = tuple(i / (count - 1) for i in range(count))
    clouds = tuple(Cloud(style, at, at[::-1]) for style in CLASSES.values())
    legend = tuple(Entry(name, style) for name, style in CLASSES.items())
    rows = {"image": (clouds, clouds), "<b>text": (clouds, None)}
    return PointGrid(**COMMON, columns=("epoch 0", "epoch 5"), rows=rows, legend=legend)


def curves(panels: int = 3) -> CurveGrid:
    line = Line("joint", (0.2, None, 0.8), Style("#123456"), ((0.1, 0.3), None, None))
    each = {f"panel {i}": (line,) for i in range(panels)}
    return CurveGrid(**COMMON, across="epoch", places=(0.0, 5.0, 20.0), panels=each)


def strokes(svg: str, colour: str) -> list[str]:
    return [d for d, style in re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', svg) if f"stroke: {colour}" in style]


def test_every_point_is_one_stroke_in_its_panel():
    svg = draw(points())
    for style in CLASSES.values():
        paths = strokes(svg, style.colour.lower())
        assert [path.count("M") for path in paths] == [3, 3, 3]  # three panels hold something
    dots, bars = strokes(svg, CLASSES["cat"].colour.lower())[0], strokes(svg, CLASSES["dog"].colour.lower())[0]
    assert dots.count("z") == 3 and bars.count("L") == 3
    places = [tuple(map(float, place.split())) for place in re.findall(r"M([\d.]+ [\d.]+)", dots)]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x0 < x1 < x2 and y0 < y1 < y2  # from the upper left: y grows downwards on a page
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11) and y2 - y0 == pytest.approx(x2 - x0, abs=0.11)


def test_a_point_takes_a_few_letters():
    few, many = (len(draw(points(count))) for count in (3, 303))
    assert (many - few) / (300 * 3 * 3) < 21


def test_names_stay_text_and_what_is_not_there_is_said():
    root = ElementTree.fromstring(draw(points()))
    texts = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert {"image", "<b>text", "epoch 0", "epoch 5", "nothing"} <= set(texts)
    assert root.attrib["aria-label"].startswith("Title <&>. ")


@pytest.mark.parametrize("panels", [1, 2, 3, 7])
def test_panels_share_an_axis_and_each_has_its_title(panels):
    root = ElementTree.fromstring(draw(curves(panels)))
    texts = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert [text for text in texts if text and text.startswith("panel")] == [f"panel {i}" for i in range(panels)]
    rows = (panels + 1) // 2
    assert texts.count("0.8") == rows  # the numbers of the axis stand once in a row
    assert texts.count("20") == min(panels, 2) == texts.count("epoch")


def test_undefined_everywhere_is_drawn_empty():
    nothing = {"a": (Line("joint", (None, None, None), Style()),)}
    assert draw(replace(curves(), panels=nothing)).startswith("<svg")


def test_a_file_has_the_marks_of_the_classes_without_a_line():
    with look():
        figure = stand_alone(points())
    swatches = [artist for artist in figure.artists if isinstance(artist, Line2D)]
    assert [line.get_marker() for line in swatches] == ["o", "_", "|"]
    assert [line.get_linewidth() for line in swatches] == [0, 0, 0]


def test_styles_differ_for_eighteen_classes():
    styles = class_styles([str(i) for i in range(18)])
    assert len({(style.colour, style.marker) for style in styles.values()}) == 18
