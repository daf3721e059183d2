"""How a comparison was run: its splits, labels and tuning, as its runs have them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import equimodal as eq
from comparison.made_up import comparison
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.design import split_table, tuning_table
from equimodal.config.run import build_config
from equimodal.tables.table import Table

BASE: dict[str, Any] = {
    "data": {"name": "toy"},
    "model": {"width": 6},
    "training": {"epochs": 1, "batch_size": 32},
    "measure": {"bootstrap": 0},
}


def make_data(groups: int | None = None):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    arrays = {name: rng.normal(labels[:, None], 1, (200, 3)).astype(np.float32) for name in ("a", "b")}
    given = None if groups is None else np.arange(200) * groups // 200
    return eq.Dataset(arrays, labels, name="toy").split(seed=7, groups=given)


def run(data, data_config=(), **compare):
    content = {**BASE, "data": {**BASE["data"], **dict(data_config)}, "compare": {"methods": ["joint"], **compare}}
    return run_comparison(build_config(content), data, quiet=True)


def column(table: Table | None, header: str) -> list[str]:
    assert table is not None
    (found,) = [column for column in table.columns if column.header == header]
    return [cell.text for cell in found.cells]


def test_each_seed_states_the_split_that_it_drew():
    made = run(make_data(groups=8), seeds=3)
    table = split_table(made.results["joint"])
    assert table is not None and (table.row_header, table.labels) == ("seed", ("0", "1", "2"))
    assert table.note.startswith("Each seed drew its own split: stratified by class, disjoint in groups.")
    for place, seed in enumerate(made.seeds):
        drawn = make_data(groups=8).redraw(seed)
        sizes = [len(part) for part in drawn.parts().values()]
        shown = [column(table, header)[place] for header in ("training", "validation", "test")]
        assert shown == [f"{size} ({size / 200:.0%})" for size in sizes]
    assert column(table, "groups") == ["8"] * 3
    assert [column.header for column in table.columns] == ["training", "validation", "test", "groups"]


def test_one_split_is_stated_as_one():
    made = run(make_data(), seeds=2, redraw="none")
    table = split_table(made.results["joint"])
    assert table is not None and table.note.startswith(
        "All seeds share one split: stratified by class, drawn with seed 7."
    )
    assert column(table, "training") == ["120 (60%)"] * 2


def test_labels_that_were_left_out_are_counted_against_the_whole_training_part():
    made = run(make_data(), {"labels": 20}, seeds=2)
    table = split_table(made.results["joint"])
    assert column(table, "labels used") == ["20 of 120, drawn with seed 0", "20 of 120, drawn with seed 1"]
    assert column(table, "training") == ["120 (60%)"] * 2
    fixed = run(make_data(), {"labels": 20}, seeds=2, redraw="none")
    assert column(split_table(fixed.results["joint"]), "labels used") == ["20 of 120, drawn with seed 0"] * 2


def test_the_settings_that_each_seed_chose_are_those_of_its_run(tmp_path):
    tune = {"trials": 3, "grid": {"training.learning_rate": [1e-9, 0.01]}, "own": {"uniform": {"weight": [0.5]}}}
    content = {**BASE, "compare": {"methods": ["joint", "uniform"], "seeds": 2, "tune": tune}}
    made = run_comparison(build_config(content), make_data(), out=tmp_path / "out", quiet=True)
    table = tuning_table(made.results, made.provenance["configuration"]["compare"]["tune"])
    assert table is not None
    assert table.labels == tuple(f"{method}, seed {seed}" for method in ("joint", "uniform") for seed in (0, 1))
    for label, rate in zip(table.labels, column(table, "training.learning_rate"), strict=True):
        method, _, seed = label.partition(", seed ")
        chosen = eq.load(tmp_path / "out" / method / f"seed-{seed}").config
        assert float(rate) == chosen.training.learning_rate
    assert column(table, "method.weight")[:2] == ["not tuned"] * 2
    assert set(column(table, "method.weight")[2:]) <= {"0.5", "default"}
    assert "At most 3 candidates per method" in table.note
    assert "training.learning_rate: 1e-09, 0.01; weight of uniform: 0.5." in table.note


def test_a_comparison_that_tuned_nothing_has_no_table_of_it():
    assert tuning_table(comparison({"joint": [0.5, 0.6]}).results, None) is None


def test_results_from_before_splits_were_kept_say_so():
    (first, *rest) = comparison({"joint": [0.5, 0.6]}).results["joint"]
    table = split_table([replace(first, split={}), *(replace(result, split={}) for result in rest)])
    assert table is not None and "not known" in table.note
