"""What stands in the tables, against numpy and SciPy; and which mean may be called the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from comparison.made_up import comparison
from equimodal.comparison.blocks import Block, Cell, Column, blocks
from equimodal.comparison.comparison import Comparison
from reports.made_up import make_comparison


def column(made: Comparison, title: str, header: str) -> dict[str, Cell]:
    """The cells of a column by method."""
    (block,) = [block for block in blocks(made) if block.title == title]
    (found,) = [column for column in block.columns if column.header == header]
    return dict(zip(block.methods, found.cells, strict=True))


def test_every_column_is_in_its_block():
    headers = {block.title: [c.header for c in block.columns] for block in blocks(make_comparison())}
    assert headers == {
        "Accuracy": ["accuracy", "difference", "verdict", "macro F1"],
        "Modalities alone": ["image", "text", "some missing"],
        "Balance": ["EDM", "image", "text", "smallest"],
        "Calibration": ["ECE", "NLL"],
        "Cost": ["updates", "seconds", "memory (MiB)"],
    }


def test_numbers_are_numpys():
    made = make_comparison(seeds=5)
    for title, header, key, digits in (
        ("Accuracy", "accuracy", "accuracy", 3),
        ("Accuracy", "macro F1", "macro_f1", 3),
        ("Modalities alone", "text", "unimodal.text", 3),
        ("Modalities alone", "some missing", "missing_mean", 3),
        ("Balance", "EDM", "edm", 2),
        ("Balance", "text", "utilisation.text", 2),
        ("Balance", "smallest", "smallest_utilisation", 2),
        ("Calibration", "ECE", "ece", 3),
        ("Calibration", "NLL", "loss", 3),
        ("Cost", "updates", "updates", 0),
        ("Cost", "seconds", "seconds", 1),
        ("Cost", "memory (MiB)", "memory", 0),
    ):
        cells = column(made, title, header)
        for method in made.methods:
            values = np.array([v for v in made.values(method, key) if v is not None])
            assert float(cells[method].text.replace("\u2212", "-")) == pytest.approx(
                values.mean(), abs=0.51 * 10**-digits
            )


def test_spread_is_half_of_the_corrected_interval():
    values = [0.60, 0.64, 0.66, 0.62]
    cell = column(comparison({"joint": values}), "Accuracy", "accuracy")["joint"]
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * np.sqrt(1 / 4 + 50 / 100)
    assert (cell.text, cell.spread) == ("0.630", f"± {half:.3f}")


def test_difference_and_its_verdict():
    base = np.array([0.5, 0.52, 0.54, 0.51, 0.53])
    a, b, c = [0.7, 0.73, 0.74, 0.7, 0.72], [0.49, 0.53, 0.54, 0.5, 0.54], [0.6] * 5
    made = comparison({"joint": base.tolist(), "a": a, "b": b, "c": c})
    cells, said = column(made, "Accuracy", "difference"), column(made, "Accuracy", "verdict")
    each = np.array(a) - base
    half = stats.t.ppf(0.975, 4) * each.std(ddof=1) * np.sqrt(1 / 5 + 1 / 2)
    assert cells["a"] == Cell(f"+{each.mean():.3f}", f"[+{each.mean() - half:.3f}, +{each.mean() + half:.3f}]")
    assert {method: cell.text for method, cell in said.items()} == {
        "joint": "baseline",
        "a": "better",
        "b": "within noise",
        "c": "better",
    }
    for joint, other, word in (
        ([0.5] * 5, [0.6] * 5, "not judged"),
        ([0.7, 0.71] * 3, [0.5, 0.51001] * 3, "worse"),
        ([0.7, 0.71] * 2, [0.5, 0.51001] * 2, "too few seeds"),
        ([0.5], [0.6], "too few seeds"),
    ):
        assert column(comparison({"joint": joint, "a": other}), "Accuracy", "verdict")["a"].text == word


def test_a_method_alone_has_no_difference():
    (accuracy, *_) = blocks(comparison({"joint": [0.5, 0.6]}))
    assert [c.header for c in accuracy.columns] == ["accuracy", "macro F1"]
    assert "difference" not in accuracy.note


def test_what_is_undefined_is_said():
    edm = column(make_comparison(fused=(0.195, 0.701, 0.78)), "Balance", "EDM")
    assert edm["joint"].spread.endswith("(1 undefined)")
    never = column(make_comparison(fused=(0.05, 0.05, 0.05)), "Balance", "EDM")
    assert {str(cell) for cell in never.values()} == {"undefined"}
    made = comparison({"joint": [0.5, 0.6]})  # a comparison from before memory was measured
    assert str(column(made, "Cost", "memory (MiB)")["joint"]) == "\u2013"


def best(made: Comparison, title: str, header: str) -> list[str]:
    return [method for method, cell in column(made, title, header).items() if cell.best]


def test_the_best_is_marked_only_where_it_can_be_told_from_the_runner_up():
    wide = {
        "joint": [0.5, 0.52, 0.54, 0.5, 0.51],
        "first": [0.70, 0.74, 0.72, 0.73, 0.71],
        "second": [0.61, 0.66, 0.65, 0.62, 0.63],
    }
    assert best(comparison(wide), "Accuracy", "accuracy") == ["first"]
    assert best(comparison({m: values[:4] for m, values in wide.items()}), "Accuracy", "accuracy") == []  # few seeds
    close = wide | {"second": [0.71, 0.70, 0.73, 0.72, 0.72]}  # first is far from joint, and not from second
    assert best(comparison(close), "Accuracy", "accuracy") == []
    assert best(comparison({"joint": [0.5, 0.6], "twin": [0.5, 0.6]}), "Accuracy", "accuracy") == []
    assert best(comparison({"joint": [0.5, 0.6]}), "Accuracy", "accuracy") == []
    assert best(comparison({"joint": [0.5], "one seed": [0.9]}), "Accuracy", "accuracy") == []
    assert best(comparison({"joint": [0.5, 0.6], "same gap": [0.7, 0.8]}), "Accuracy", "accuracy") == []


@given(st.lists(st.lists(st.integers(0, 100), min_size=5, max_size=5), min_size=2, max_size=4))
def test_at_most_one_is_best_and_a_paired_test_agrees(counts):
    made = comparison({f"m{i}": [c / 100 for c in each] for i, each in enumerate(counts)}, redraw="none")
    marked = best(made, "Accuracy", "accuracy")
    means = sorted(((np.mean(each), i) for i, each in enumerate(counts)), reverse=True)
    (_, first), (_, second), *_ = means
    difference = np.array(counts[first]) - np.array(counts[second])
    expected = False  # without any spread there is nothing to judge by
    if np.ptp(difference) > 0:
        low, high = stats.t.interval(0.95, 4, difference.mean(), stats.sem(difference))
        expected = not low <= 0 <= high
    assert bool(marked) == expected
    assert marked in ([], [f"m{first}"])


def test_lower_is_better_where_it_is():
    made = make_comparison(seeds=6)
    assert best(made, "Balance", "EDM") == ["equilibrium"]
    assert best(make_comparison(seeds=6, weak=(0.55, 0.3, 0.3)), "Balance", "EDM") == ["joint"]


def test_a_mean_that_leaves_out_seeds_is_not_the_best():
    made = make_comparison(seeds=6, weak=(0.55, 0.3, 0.3))
    first = made.results["joint"][0]
    contribution = first.test["contribution"] | {"edm": None}
    lost = replace(first, test=first.test | {"contribution": contribution})
    made.results["joint"] = (lost, *made.results["joint"][1:])
    assert best(made, "Balance", "EDM") == []


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(20, 80))
def test_folding_keeps_every_column_in_order_and_the_width(widths, width):
    columns = tuple(Column("h", (Cell("x" * w),)) for w in widths)
    pieces = Block("T", "n", ("method",), columns).fold(width, 10)
    assert tuple(column for piece in pieces for column in piece.columns) == columns
    for piece in pieces:
        need = len("method") + sum(2 + len(column.cells[0].text) for column in piece.columns)
        assert need <= width or len(piece.columns) == 1
    assert [piece.title for piece in pieces] == ["T", *["T, continued"] * (len(pieces) - 1)]
