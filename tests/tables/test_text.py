"""The tables on a terminal: aligned, within 110 characters."""

from __future__ import annotations

import pytest

from comparison.made_up import comparison
from equimodal.comparison.reading import reading
from equimodal.tables.text import WIDTH, as_text
from reports.made_up import make_comparison

TITLES = ["Accuracy", "Modalities alone", "Balance", "Calibration", "Cost"]


def sections(text):
    """The lines of each block by title, and the sentences."""
    *made, sentences = text.split("\n\n")
    return {section.split(".")[0]: section.splitlines() for section in made}, sentences


def test_blocks_are_titled_aligned_and_read():
    made = comparison({"joint": [0.6, 0.62, 0.64], "best": [0.70, 0.74, 0.72], "a longer name": [0.61, 0.60, 0.66]})
    found, sentences = sections(as_text(made))
    assert list(found) == TITLES
    note, header, *rows = found["Accuracy"]
    assert note == "Accuracy. On test; the difference to joint is paired by seed."
    assert [row[:13].rstrip() for row in rows] == list(made.methods)
    for name, cell in {"accuracy": "0.720 ± 0.079", "difference": "+0.100 [+0.021, +0.179]"}.items():
        assert header.index(name) + len(name) == rows[1].index(cell) + len(cell)  # right edges
    assert " ".join(sentences.split()) == " ".join(reading(made))


def test_marks_of_the_best_do_not_shift_the_numbers():
    made = comparison({"joint": [0.5, 0.52, 0.54], "first": [0.70, 0.74, 0.72]})
    found, sentences = sections(as_text(made))
    _, header, joint, first = found["Accuracy"]
    assert "0.720 ± 0.079 *" in first and "*" not in joint
    assert first.index("0.720") == joint.index("0.520")
    assert header.index("accuracy") + len("accuracy") == first.index(" *")
    assert "*: the best mean of its column" in sentences
    assert "*" not in as_text(comparison({"joint": [0.5, 0.52, 0.54], "first": [0.5, 0.52, 0.55]}))


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_many_modalities_and_long_labels_stay_within_the_width(count):
    names = [f"view number {i}" for i in range(count)]
    labels = ["joint", "paper:order=strong_to_weak,memory.in_steps=true,memory.dropout=0.3", "unimodal_ensemble"]
    made = make_comparison(labels, names)
    text = as_text(made)
    assert max(map(len, text.splitlines())) <= WIDTH
    headers = [line for line in text.splitlines() if line.startswith("method ")]
    assert sum(line.count(f"view number {count - 1}") for line in headers) == 2  # alone, and utilisation
    own = [i for i, line in enumerate(text.splitlines()) if line == labels[1]]
    assert len(own) == len(headers)
    assert text.splitlines()[own[0] + 1].split()[0].startswith("0.")


def test_one_seed_or_one_method_has_no_difference():
    assert "One seed: no interval" in as_text(make_comparison(seeds=1))
    alone = as_text(make_comparison(["joint"]))
    assert "difference" not in alone
    assert "permutation" not in alone
