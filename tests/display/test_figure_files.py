"""Figures as files: PDFs are taken apart here by hand, as the format's own reference describes them."""

import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.text import Text

from display.test_drawing import ALL, epochs, rows
from display.test_grids import curves, points
from equimodal.display.charts import Entry, Style
from equimodal.display.drawing import figure_of, look
from equimodal.display.figure_files import stand_alone, write_figures

SVG = "{http://www.w3.org/2000/svg}"
LONG = "a name of sixty letters that somebody gave to a modality, no. "
LEGEND = (*(Entry(f"{LONG}{number}", Style()) for number in range(3)), Entry("short", Style("#123456", "s")))


def shown(pdf: bytes) -> str:
    """The letters that a PDF shows, without spaces; those of a word may be set one by one."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    text = b""
    for stream in streams:
        content = zlib.decompress(stream)
        for operand in re.findall(rb"\[.*?\]\s*TJ|\(.*?\)\s*Tj", content, re.DOTALL):
            text += b"".join(re.findall(rb"\(((?:\\.|[^\\)])*)\)", operand))
    return re.sub(r"[\s\0]", "", text.decode("latin-1"))  # a letter may take two bytes


def test_a_pdf_holds_its_fonts_and_shows_title_labels_and_legend_whole(tmp_path):
    (path,) = write_figures([rows(title="Accuracy by method", legend=LEGEND)], tmp_path, ("pdf",))
    pdf = path.read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf  # TrueType, as journals ask for
    text = shown(pdf)
    for words in ("Accuracy by method", "method", "value", "short", *(entry.label for entry in LEGEND)):
        assert "".join(words.split()) in text


def test_an_svg_shows_the_same_and_stays_within_its_width(tmp_path):
    (path,) = write_figures([rows(title="Accuracy " * 12, legend=LEGEND)], tmp_path, ("svg",))
    root = ElementTree.parse(path).getroot()
    width = float(root.attrib["viewBox"].split()[2])
    texts = [(float(node.get("x", "nan")), node.text or "") for node in root.iter(f"{SVG}text")]
    whole = "".join("".join(text.split()) for _, text in texts)
    for words in ("Accuracy " * 12, *(entry.label for entry in LEGEND)):
        assert "".join(words.split()) in whole
    title_and_legend = [(x, text) for x, text in texts if text.startswith(("Accuracy", "a name", "modality", "short"))]
    assert title_and_legend and all(x >= 0 and x + 5.5 * len(text) <= width for x, text in title_and_legend)


@pytest.mark.parametrize("chart", ALL)
def test_title_and_legend_leave_the_drawing_as_large_as_it_was(chart):
    with look():
        before, after = figure_of(chart), stand_alone(replace(chart, legend=LEGEND))

        def sizes(figure):
            return [tuple(round(72 * size, 6) for size in box_size(figure, axes)) for axes in figure.axes]

        def box_size(figure, axes):
            box, (width, height) = axes.get_position(), figure.get_size_inches()
            return box.width * width, box.height * height

        assert sizes(after) == sizes(before)
        assert after.get_figheight() > before.get_figheight()


def drawn(figure):
    """Where each text and each path of a figure lies, in points from the lower left, by what it is."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    scale, places = 72 / figure.dpi, {}
    for artist in figure.findobj(lambda each: isinstance(each, Text | PathPatch | Line2D) and each.get_visible()):
        if not isinstance(artist, Text) or artist.get_text().strip():
            name = artist.get_text() if isinstance(artist, Text) else type(artist).__name__
            box = artist.get_window_extent(canvas.get_renderer())
            places.setdefault(name, []).append([scale * side for side in (box.x0, box.y0, box.x1, box.y1)])
    return places


@pytest.mark.parametrize("chart", [*ALL, points(), curves()])
def test_title_and_legend_move_all_of_the_drawing_alike(chart):
    chart = replace(chart, title="", legend=())
    with look():
        before, after = drawn(figure_of(chart)), drawn(stand_alone(replace(chart, title="Above", legend=LEGEND)))
    name = next(name for name in before if name not in (Line2D.__name__, PathPatch.__name__))
    move = np.subtract(after[name][0], before[name][0])
    assert move[1] > 20 and abs(move[0]) < 0.6
    for name, places in before.items():
        for place in places:  # a text starts at a whole pixel
            assert any(np.allclose(np.add(place, move), moved, atol=0.8) for moved in after[name]), (name, place)


def test_the_same_chart_gives_the_same_bytes(tmp_path):
    charts = [epochs(legend=LEGEND)]
    one, other = write_figures(charts, tmp_path / "one"), write_figures(charts, tmp_path / "two")
    assert [path.name for path in one] == ["this-chart.svg", "this-chart.pdf"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_any_name_is_text_and_nothing_else(tmp_path):
    hostile = "<b>&\"' \x00 $x^2$ (\\) 形態"
    svg, pdf = write_figures([rows(hostile, title=hostile, legend=(Entry(hostile),))], tmp_path)
    texts = [node.text for node in ElementTree.parse(svg).getroot().iter(f"{SVG}text")]
    assert texts.count("<b>&\"' $x^2$ (\\) 形態") == 3
    assert pdf.read_bytes().startswith(b"%PDF-")
