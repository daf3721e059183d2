"""The table of a comparison against hand computation, and its forms: dict, file, text, Markdown, CSV."""

from __future__ import annotations

import csv
import json
import math

import pytest

from equimodal.errors import ConfigError, RunError
from equimodal.evaluate.comparison import Comparison, Result, load_comparison

ACCURACY = {"joint": [0.60, 0.62, 0.64], "best": [0.70, 0.74, 0.72], "worst": [0.61, 0.60, 0.66]}
EDM = {"joint": [0.5, 0.7, 0.3], "best": [0.1, None, 0.3], "worst": [None, None, None]}
T2 = 4.302653  # t quantile .975 with 2 degrees of freedom, from a table


def result(method, seed, modalities=("audio", "image")):
    accuracy = ACCURACY[method][seed]
    scores = {"accuracy": accuracy, "macro_f1": accuracy - 0.1, "loss": 1.5, "ece": 0.05}
    weak, strong = modalities[0], modalities[-1]
    test = {
        "split": "test",
        "samples": 50,
        **scores,
        "unimodal": {name: {**scores, "accuracy": accuracy / 2} for name in modalities},
        "subsets": {},
        "subset_mean": accuracy - 0.2,
        "alone": {},
        "contribution": {"edm": EDM[method][seed]},
        "utilisation": dict.fromkeys(modalities, 0.9) | {weak: 0.4 + 0.1 * seed, strong: None},
    }
    return Result(
        method=method,
        seed=seed,
        test=test,
        validation_accuracy=0.9,
        best_epoch=2,
        updates=dict.fromkeys(modalities, 30),
        seconds=1.5 + seed,
        sizes={"train": 100, "validation": 40, "test": 50},
        reference={"validation": {}, "test": {}},
    )


def comparison(methods=("joint", "best", "worst"), seeds=3, redraw="split", modalities=("audio", "image")):
    return Comparison(
        methods=tuple(methods),
        seeds=tuple(range(seeds)),
        modalities=tuple(modalities),
        results={m: tuple(result(m, s, modalities) for s in range(seeds)) for m in methods},
        redraw=redraw,
        provenance={"data": "made up"},
    )


def test_columns_of_a_run():
    columns = result("joint", 1).columns()
    assert columns == {
        "accuracy": 0.62,
        "macro_f1": 0.52,
        "loss": 1.5,
        "ece": 0.05,
        "unimodal.audio": 0.31,
        "unimodal.image": 0.31,
        "edm": 0.7,
        "utilisation.audio": 0.5,
        "utilisation.image": None,
        "smallest_utilisation": 0.5,
        "subset_mean": pytest.approx(0.42),
        "updates": 60.0,
        "seconds": 2.5,
    }


def test_smallest_utilisation_is_over_those_defined():
    columns = result("joint", 1, ("audio", "text", "image")).columns()
    assert [columns[f"utilisation.{name}"] for name in ("audio", "text", "image")] == [0.5, 0.9, None]
    assert columns["smallest_utilisation"] == 0.5


def test_means_and_corrected_intervals_by_hand():
    row = comparison().table()[0]
    assert row["method"] == "joint"
    assert row["accuracy"]["mean"] == pytest.approx(0.62)
    half = T2 * 0.02 * math.sqrt(1 / 3 + 50 / 100)
    assert row["accuracy"]["low"] == pytest.approx(0.62 - half, rel=1e-5)
    assert row["accuracy"]["high"] == pytest.approx(0.62 + half, rel=1e-5)
    assert row["accuracy"]["difference"] is None


def test_fixed_splits_have_students_interval():
    row = comparison(redraw="none").table()[0]
    half = T2 * 0.02 / math.sqrt(3)
    assert row["accuracy"]["high"] - row["accuracy"]["mean"] == pytest.approx(half, rel=1e-5)


def test_paired_differences_by_hand():
    best, worst = comparison().table()[1:]
    # .10, .12, .08: one sign, so 2 of 8 patterns. .01, -.02, .02: each pattern's |sum| is at least .01.
    assert best["accuracy"]["difference"]["mean"] == pytest.approx(0.10)
    half = T2 * 0.02 * math.sqrt(1 / 3 + 1 / 2)
    assert best["accuracy"]["difference"]["low"] == pytest.approx(0.10 - half, rel=1e-5)
    assert best["accuracy"]["difference"]["p"] == pytest.approx(0.25)
    assert worst["accuracy"]["difference"]["p"] == pytest.approx(1.0)
    assert best["accuracy"]["difference"]["p_holm"] == pytest.approx(0.5)
    assert worst["accuracy"]["difference"]["p_holm"] == pytest.approx(1.0)
    assert best["updates"]["difference"]["mean"] == 0


def test_undefined_edms_are_counted():
    joint, best, worst = comparison().table()
    assert (joint["edm"]["mean"], joint["edm"]["median"]) == (pytest.approx(0.5), 0.5)
    assert (best["edm"]["mean"], best["edm"]["count"], best["edm"]["undefined"]) == (pytest.approx(0.2), 2, 1)
    assert best["edm"]["difference"]["mean"] == pytest.approx(-0.2)  # seeds 0 and 2 alone: -.4 and 0
    assert worst["edm"]["mean"] is None
    assert worst["edm"]["undefined"] == 3


def test_unknown_names_are_answered():
    with pytest.raises(ConfigError, match="Did you mean 'joint'"):
        comparison().values("jiont", "accuracy")
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        comparison().values("joint", "acuracy")


def test_round_trip_through_the_file(tmp_path):
    made = comparison()
    path = made.save(tmp_path)
    assert path.name == "comparison.json"
    assert load_comparison(tmp_path) == made
    assert json.loads(path.read_text())["methods"] == ["joint", "best", "worst"]


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(RunError, match="holds no finished comparison"):
        load_comparison(tmp_path)
    path = comparison().save(tmp_path)
    whole = path.read_text()
    for text in (whole[: len(whole) // 2], "[]", '{"methods": []}'):
        path.write_text(text)
        with pytest.raises(RunError, match="damaged"):
            load_comparison(tmp_path)


def test_text_is_aligned_and_says_what_is_what():
    text = str(comparison())
    table, _, sentences = text.partition("\n\n")
    lines = table.splitlines()
    assert len(lines) == 4
    assert max(map(len, text.splitlines())) <= 110
    ends = {"accuracy": ("0.620 ± 0.079", 1), "difference to joint": ("+0.100 [+0.021, +0.179]", 2)}
    for header, (cell, row) in ends.items():  # right edges
        assert lines[0].index(header) + len(header) == lines[row].index(cell) + len(cell)
    assert "0.20 (0.20)" in lines[2]
    assert "undefined" in lines[3]
    flat = " ".join(sentences.split())
    assert "Different from joint in accuracy, by the 95% interval of the paired difference: best (+0.100)." in flat
    assert "Holm-corrected for 2 comparisons at 0.05: none." in flat
    assert "The smallest p that 3 seeds can give is 0.25, 0.5 corrected: none can be under 0.05" in flat
    assert "with fewer than 7 seeds" in flat
    assert "variance x (1/3 + 0.50)" in flat
    assert "EDM is undefined in 4 of 9 runs" in flat


def test_text_is_plain_about_noise():
    text = " ".join(str(comparison(methods=("joint", "worst"), redraw="none")).split())
    assert "No difference in accuracy to joint can be told from noise" in text
    assert "training noise only" in text


def test_one_seed_or_one_method_claims_nothing():
    assert "One seed: no interval" in str(comparison(seeds=1))
    alone = str(comparison(methods=("joint",)))
    assert "difference" not in alone.splitlines()[0]
    assert "permutation" not in alone


def test_many_modalities_move_to_a_second_table():
    names = [f"view number {i}" for i in range(6)]
    text = str(comparison(modalities=names))
    assert max(map(len, text.splitlines()[:5])) <= 110
    first, second = text.split("\n\n")[:2]
    assert "view number 0 alone" not in first
    assert "view number 0 alone" in second


def test_markdown_has_a_cell_for_every_column():
    made = comparison()
    lines = made.to_markdown().split("\n\n")[0].splitlines()
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1
    assert lines[3].startswith("| best | 0.720 ± ")


def test_csv_holds_the_raw_numbers(tmp_path):
    path = comparison().to_csv(tmp_path / "runs.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert [float(row["accuracy"]) for row in rows if row["method"] == "best"] == ACCURACY["best"]
    assert rows[0]["utilisation.image"] == ""
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
