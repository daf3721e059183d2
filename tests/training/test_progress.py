"""What a run says: a bar, lines, or nothing."""

import io
import re

import pytest

from equimodal.training import progress
from equimodal.training.progress import Bar, PlainLines, Quiet, make_reporter, summary
from training.runs import fit_tiny


def line(accuracy=0.5, edm: float | None = 0.25, best=True, order: tuple[str, ...] | None = ("a", "b")):
    return {
        "validation": {
            "accuracy": accuracy,
            "unimodal": {"a": {"accuracy": 0.1}, "b": {"accuracy": 0.2}},
            "contribution": {"edm": edm},
        },
        "order": None if order is None else list(order),
        "best": best,
    }


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_summary_says_what_is_known():
    assert summary(line()) == "accuracy 0.500 (a 0.100, b 0.200)  EDM 0.250  order a < b  *"
    assert summary(line(edm=None, best=False, order=None)) == "accuracy 0.500 (a 0.100, b 0.200)  EDM undefined"


def test_plain_lines_come_at_most_so_often_and_the_last_one_always(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 2.5, 3.0, 3.1])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    reporter = PlainLines(every=2.0)
    reporter.start("joint", 5, 0)
    for epoch in range(5):
        reporter.step(summary(line(accuracy=epoch / 10)))
    reporter.finish()
    out, err = capsys.readouterr()
    assert out == ""
    assert [text[:26] for text in err.splitlines()] == [
        f"joint {n}/5  accuracy {(n - 1) / 10:.3f}" + " ("[: 26 - 25] for n in (1, 3, 5)
    ]


def test_plain_lines_of_a_resumed_run_go_on_counting(capsys):
    reporter = PlainLines(every=0.0)
    reporter.start("joint", 5, 3)
    reporter.step(summary(line()))
    assert capsys.readouterr().err.startswith("joint 4/5  ")


def test_the_bar_shows_how_far_a_run_is(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    reporter = make_reporter()
    assert isinstance(reporter, Bar)
    reporter.start("joint", 5, 3)
    reporter.step(summary(line()))
    reporter.start("alternating", 2, 0)  # a second phase follows without a word between
    reporter.finish()
    reporter.finish()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "joint" in shown and "4/5" in shown and "alternating" in shown and "0/2" in shown


@pytest.mark.parametrize(("quiet", "stream", "kind"), [(True, Terminal(), Quiet), (False, io.StringIO(), PlainLines)])
def test_what_fits(monkeypatch, quiet, stream, kind):
    monkeypatch.setattr("sys.stderr", stream)
    assert type(make_reporter(quiet)) is kind


def test_a_quiet_run_says_nothing(tiny, capsys):
    fit_tiny(tiny, "unimodal_ensemble")
    assert capsys.readouterr() == ("", "")


def test_a_run_names_its_phases(tiny, capsys):
    from equimodal.training.fit import fit
    from synthetic import make_model

    fit(make_model(tiny), tiny, "joint", epochs=1, measure={"bootstrap": 0})
    said = [text.split("/")[0] for text in capsys.readouterr().err.splitlines()]
    assert said == ["reference vector 1", "reference sequence 1", "joint 1"]
