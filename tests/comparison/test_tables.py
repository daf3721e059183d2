"""What stands in the tables, against numpy and SciPy; and which mean may be called the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from comparison.made_up import comparison
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import reading
from equimodal.comparison.tables import caption
from equimodal.tables.table import Cell
from reports.made_up import make_comparison


def column(made: Comparison, title: str, header: str) -> dict[str, Cell]:
    """The cells of a column by method."""
    (table,) = [table for table in made.tables() if table.title == title]
    (found,) = [column for column in table.columns if column.header == header]
    return dict(zip(table.labels, found.cells, strict=True))


def test_every_column_is_in_its_table():
    headers = {table.title: [c.header for c in table.columns] for table in make_comparison().tables()}
    assert headers == {
        "Accuracy": ["accuracy", "difference", "verdict", "macro F1"],
        "Accuracy with entries missing": ["0%", "30%", "50%", "70%", "area"],
        "Modalities alone": ["image", "text", "some missing"],
        "Balance": ["EDM", "against ability", "image", "text", "smallest"],
        "Calibration": ["ECE", "NLL"],
        "Cost": ["updates", "seconds", "memory (MiB)"],
    }


def test_numbers_are_numpys():
    made = make_comparison(seeds=5)
    for title, header, key, digits in (
        ("Accuracy", "accuracy", "accuracy", 3),
        ("Accuracy", "macro F1", "macro_f1", 3),
        ("Accuracy with entries missing", "0%", "accuracy", 3),
        ("Accuracy with entries missing", "50%", "missing_50", 3),
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
    (accuracy, *_) = comparison({"joint": [0.5, 0.6]}).tables()
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


@example([[0] * 5, [3, 6, 33, 46, 84], [47, 69, 0, 25, 31], [44, 44, 74, 79, 72]])  # two share the second place
@example([[0] * 5, [9, 10, 11, 10, 10], [50, 0, 0, 0, 0], [80, 81, 79, 80, 30]])
@settings(max_examples=30)  # each makes a comparison
@given(st.lists(st.lists(st.integers(0, 100), min_size=5, max_size=5), min_size=2, max_size=4))
def test_at_most_one_is_best_and_a_paired_test_agrees(counts):
    made = comparison({f"m{i}": [c / 100 for c in each] for i, each in enumerate(counts)}, redraw="none")
    marked = best(made, "Accuracy", "accuracy")
    first, *others = sorted(range(len(counts)), key=lambda i: sum(counts[i]), reverse=True)
    expected = True
    for second in (i for i in others if sum(counts[i]) == sum(counts[others[0]])):
        difference = np.array(counts[first]) - np.array(counts[second])
        if np.ptp(difference) == 0:  # without any spread there is nothing to judge by
            expected = False
            continue
        low, high = stats.t.interval(0.95, 4, difference.mean(), stats.sem(difference))
        assume(min(abs(low), abs(high)) > 1e-9)
        expected = expected and not low <= 0 <= high
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


@pytest.mark.parametrize("names", [["image", "text"], ["a_b", "50% & more", "#3"], ["x|y", "*z*"]])
def test_every_form_holds_every_table(names):
    made = make_comparison(["joint", "paper:order=strong_to_weak", "a & b"], names)
    text, markdown, latex = str(made), made.to_markdown(), made.to_latex()
    for table in made.tables():
        assert f"{table.title}. " in text and f"**{table.title}.** " in markdown
        assert rf"\caption{{{table.title} on made-up. " in latex
        for cell in (cell for column in table.columns for cell in column.cells):
            assert cell.text in text and cell.text in markdown
    for sentence in reading(made):
        assert " ".join(sentence.split()) in " ".join(text.split())
    assert [line[2:] for line in markdown.splitlines() if line.startswith("- ")][:2] == reading(made)[:2]


def test_only_the_best_that_can_be_told_is_marked_in_any_form():
    base, top = [0.5, 0.52, 0.54, 0.53, 0.51], [0.70, 0.74, 0.72, 0.71, 0.73]
    first = comparison({"joint": base, "first": top, "second": [0.6, 0.65, 0.63, 0.6, 0.62]})
    half = stats.t.ppf(0.975, 4) * np.std(top, ddof=1) * np.sqrt(1 / 5 + 50 / 100)
    assert f"0.720 ± {half:.3f} *" in str(first) and "\n*: the best mean of its column" in str(first)
    assert f"**0.720** ± {half:.3f}" in first.to_markdown() and "- Bold: the best mean" in first.to_markdown()
    assert rf"\textbf{{0.720}} $\pm$ {half:.3f}" in first.to_latex() and "Bold: the best mean" in first.to_latex()
    level = comparison({"joint": base, "first": top, "second": [0.71, 0.7, 0.74, 0.72, 0.71]})
    assert " *" not in str(level).split("\n\n")[0]
    assert "Bold" not in level.to_latex().split(r"\end{table*}")[0]


def test_captions_say_how_to_read():
    captions = [caption(make_comparison())(table) for table in make_comparison().tables()]
    assert "± and [ ]: t, 95%, over 4 redrawn splits" in captions[0]
    assert "the difference to joint is paired by seed." in captions[0]
    assert "±" not in captions[4]  # the cost has no intervals
    one = make_comparison(seeds=1)
    assert "One seed: no interval" in caption(one)(one.tables()[4])


def test_one_method_alone_has_no_difference_in_words():
    alone = str(make_comparison(["joint"]))
    assert "difference" not in alone
    assert "permutation" not in alone
