"""The table of a comparison against hand computation, and its forms: dict, file, text, Markdown, CSV."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from equimodal.comparison.comparison import Comparison, load_comparison
from equimodal.comparison.result import Result, column_names
from equimodal.errors import ConfigError, RunError
from equimodal.reports.write import export
from reports.made_up import make_comparison

ACCURACY = {"joint": [0.60, 0.62, 0.64], "best": [0.70, 0.74, 0.72], "worst": [0.61, 0.60, 0.66]}
EDM = {"joint": [0.5, 0.7, 0.3], "best": [0.1, None, 0.3], "worst": [None, None, None]}
T2 = 4.302653  # t quantile .975 with 2 degrees of freedom, from a table


def subsets(names):
    """Every subset but the empty one, the whole last."""
    return [chosen for size in range(1, len(names) + 1) for chosen in combinations(names, size)]


def result(method, seed, modalities=("audio", "image")):
    accuracy = ACCURACY[method][seed]
    scores = {"accuracy": accuracy, "macro_f1": accuracy - 0.1, "loss": 1.5, "ece": 0.05}
    weak, strong = modalities[0], modalities[-1]
    sizes = {"": 0.2} | {"+".join(names): 0.1 * i for i, names in enumerate(subsets(modalities), start=1)}
    test = {
        "split": "test",
        "samples": 50,
        **scores,
        "unimodal": {name: {**scores, "accuracy": accuracy / 2} for name in modalities},
        "subsets": sizes,
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
        memory=300.5 + seed,
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
        "edm_ability": None,
        "utilisation.audio": 0.5,
        "utilisation.image": None,
        "smallest_utilisation": 0.5,
        "subset_mean": pytest.approx(0.42),
        "missing_mean": pytest.approx(0.15),  # (.1 + .2) / 2: neither the prior's .2 nor the whole's .3
        "missing_30": pytest.approx((0.21 * 0.1 + 0.21 * 0.2 + 0.49 * 0.3) / 0.91),
        "missing_50": pytest.approx(0.2),
        "missing_70": pytest.approx((0.21 * 0.1 + 0.21 * 0.2 + 0.09 * 0.3) / 0.51),
        "missing_area": pytest.approx(0.3 * math.log(1.9) / 0.9, rel=2e-3),  # the curve is .3 / (1 + r)
        "updates": 60.0,
        "seconds": 2.5,
        "memory": 301.5,
    }


def test_names_of_columns_are_those_of_the_runs():
    for names in (("audio", "image"), ("audio", "text", "image")):
        assert column_names(names) == tuple(result("joint", 1, names).columns())
    assert comparison().columns == column_names(("audio", "image"))


def test_missing_mean_is_over_proper_subsets():
    names = ("audio", "text", "image")
    columns = result("joint", 1, names).columns()
    assert len(subsets(names)) == 7
    assert columns["missing_mean"] == pytest.approx(np.mean([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))


def test_a_file_from_before_memory_was_measured_is_read():
    plain = comparison().to_dict()
    for fields in plain["results"]:
        del fields["memory"]
    old = Comparison.from_dict(plain)
    assert old.values("joint", "memory") == [None] * 3
    assert "\u2013" in str(old).split("Cost.")[1]


def test_memory_of_a_run_is_the_highest_of_its_lines_even_of_trials():
    lines = [{"updates": {"a": 1}, "seconds": {"train": 1.0}, "memory": m} for m in (200.0, None, 310.0, 250.0)]
    old = [{key: value for key, value in line.items() if key != "memory"} for line in lines]
    metrics = {
        "seed": 0,
        "best_epoch": 1,
        "reference": {},
        "validation": {"accuracy": 0.5},
        "test": {"unimodal": {"a": {}, "b": {}}},
    }
    split = {"sizes": {"train": 6, "validation": 2, "test": 2}}
    assert Result._assemble("joint", metrics, lines, split, None).memory == 310.0
    assert Result._assemble("joint", metrics, old, split, None).memory is None


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


def test_csv_holds_the_raw_numbers(tmp_path):
    path = comparison().to_csv(tmp_path / "runs.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert [float(row["accuracy"]) for row in rows if row["method"] == "best"] == ACCURACY["best"]
    assert rows[0]["utilisation.image"] == ""
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
    assert [float(row["memory"]) for row in rows[:3]] == [300.5, 301.5, 302.5]
    assert {(row["updates.audio"], row["updates.image"], row["updates"]) for row in rows} == {("30", "30", "60.0")}


def test_csv_is_enough_to_redo_the_statistics(tmp_path):
    made = comparison(redraw="none")
    with made.to_csv(tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    for number, method in enumerate(made.methods):
        values = np.array([float(row["missing_mean"]) for row in rows if row["method"] == method])
        assert made.table()[number]["missing_mean"]["mean"] == pytest.approx(values.mean())
        values = np.array([float(row["accuracy"]) for row in rows if row["method"] == method])
        low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
        assert [made.table()[number]["accuracy"][key] for key in ("low", "high")] == pytest.approx([low, high])


def test_export_writes_all_forms_whole(tmp_path):
    made = make_comparison()
    paths = export(made, tmp_path / "out")
    assert [path.name for path in paths] == ["report.html", "table.csv", "table.md", "table.tex"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [path.name for path in paths]
    assert paths[2].read_text(encoding="utf-8") == made.to_markdown()
    assert paths[3].read_text(encoding="utf-8") == made.to_latex()
    assert len(paths[1].read_text().splitlines()) == 1 + 3 * 4


def test_a_full_disk_leaves_the_tables_that_were_there(tmp_path, monkeypatch):
    made = make_comparison()
    export(made, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    changed = replace(made, redraw="none")
    for write in (export, lambda made, folder: made.to_csv(folder / "table.csv")):
        with pytest.raises(RunError, match=r"No space left.*then write it again"):
            write(changed, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
