from xml.etree import ElementTree

import pytest
from matplotlib import image

from equimodal.errors import RunError
from research.theory import Cycle, Setting, closed_form, figures, outcome, random_problems
from research.theory.figures import free_riding_figure, order_map, write_figures

NAMES = ["order.svg", "order.png", "free_riding.svg", "free_riding.png"]


@pytest.fixture
def coarse(monkeypatch):
    monkeypatch.setattr(figures, "_CELLS", 3)
    monkeypatch.setattr(figures, "_PROBLEMS", 20)


def test_the_map_shows_the_shares(coarse):
    panels = [axes for axes in order_map(seed=4).axes if axes.get_title(loc="left")]
    assert len(panels) == 6
    shown = panels[0].collections[0].get_array()
    expected = outcome(random_problems(20, 1.0, seed=4), Cycle(ratio=0.1, step=0.1, transfer=2.0)).share
    assert shown.reshape(3, 3)[2, 2] == pytest.approx(expected)
    assert (panels[4].collections[0].get_array().reshape(3, 3)[0] == 1).all()


def test_curves_and_dots_of_free_riding_meet():
    left = free_riding_figure().axes[0]
    curve, dots = left.lines[0], left.lines[1]
    exact = [closed_form(Setting(first=at, last=0.2)).utilisation[1] for at in dots.get_xdata()]
    assert dots.get_ydata() == pytest.approx(exact, abs=1e-6)
    assert curve.get_ydata()[50] == pytest.approx(closed_form(Setting(first=0.5, last=0.2)).utilisation[1])


def test_files_are_whole_and_the_same_each_time(coarse, tmp_path):
    written = write_figures(tmp_path / "one")
    assert [path.name for path in written] == NAMES
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(NAMES)
    for path in written:
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
            assert path.stat().st_size < 150_000
        else:
            assert image.imread(path).shape[1] == round(9.2 * 150)
    assert [path.read_bytes() for path in write_figures(tmp_path / "two")] == [path.read_bytes() for path in written]


def test_a_file_in_the_way_is_one_message(coarse, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RunError, match="choose another folder, for a file is in the way"):
        write_figures(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
