"""Intervals over seeds and test groups against a plain loop, coverage by simulation, and the groups' part in them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equimodal as eq
from comparison.made_up import comparison
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.primary import decide
from equimodal.config.compare import Primary
from equimodal.statistics.estimates import estimate
from equimodal.statistics.resampling import resampled_interval
from equimodal.training.measure import pack, unpack


def test_against_a_plain_double_loop():
    rng = np.random.default_rng(1)
    right = rng.random((4, 30)) < 0.7
    groups = rng.integers(0, 9, 30)
    found = resampled_interval(right, groups, replicates=4000)
    members = {g: np.flatnonzero(groups == g) for g in np.unique(groups)}
    names = list(members)
    means = []
    for _ in range(3000):
        seeds = rng.integers(0, 4, 4)
        rows = np.concatenate([members[names[i]] for i in rng.integers(0, len(names), len(names))])
        means.append(right[np.ix_(seeds, rows)].mean())
    assert found == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.015)


def test_it_covers_the_true_mean_where_the_seeds_alone_do_not():
    # One fixed test set of 60 samples: seeds agree much more with one another than with the truth.
    rng = np.random.default_rng(0)
    hits, naive, truth, trials = 0, 0, 0.5, 200
    for trial in range(trials):
        ability = rng.beta(1, 1, 60)  # how likely each test sample is answered rightly; mean 1/2
        right = rng.random((10, 60)) < ability
        low, high = resampled_interval(right, np.arange(60), replicates=400, seed=trial)
        hits += low <= truth <= high
        means = right.mean(1)
        half = 2.262 * means.std(ddof=1) / np.sqrt(10)
        naive += abs(means.mean() - truth) <= half
    assert hits / trials > 0.9
    assert naive / trials < 0.75


def test_samples_of_one_group_move_together():
    rng = np.random.default_rng(2)
    one_each = np.repeat(rng.random((5, 10)) < 0.6, 20, axis=1)  # 20 equal samples a group
    grouped = resampled_interval(one_each, np.repeat(np.arange(10), 20))
    alone = resampled_interval(one_each, np.arange(200))
    assert (grouped[1] - grouped[0]) > 1.5 * (alone[1] - alone[0])
    assert resampled_interval(one_each[:, ::20], np.arange(10)) == pytest.approx(grouped, abs=0.03)


def test_names_of_groups_and_the_order_of_samples_do_not_matter():
    rng = np.random.default_rng(3)
    right, groups = rng.random((3, 40)) < 0.5, rng.integers(0, 8, 40)
    order = rng.permutation(40)
    plain = resampled_interval(right, groups)
    assert resampled_interval(right[:, order], groups[order]) == pytest.approx(plain)
    assert resampled_interval(right, groups * 7 + 3) == pytest.approx(plain)


# In a comparison


def on_one_split(groups=None):
    rng = np.random.default_rng(0)
    made = comparison({"a": [0.6, 0.6, 0.6], "b": [0.5, 0.5, 0.5]}, redraw="none")
    rows = {"a": rng.random((3, 50)) < 0.7, "b": rng.random((3, 50)) < 0.5}
    for method, right in rows.items():
        for result, row in zip(made.results[method], right, strict=True):
            result.test.update(samples=50, right=pack(row), accuracy=float(row.mean()))
    if groups is not None:
        made.provenance["test_groups"] = groups
    return made, rows


def test_accuracies_on_a_fixed_split_have_the_resampled_interval():
    groups = (np.arange(50) // 5).tolist()
    made, rows = on_one_split(groups)
    found = made.summary("a", "accuracy")
    assert (found.low, found.high) == resampled_interval(rows["a"], groups)
    assert found.mean == pytest.approx(rows["a"].mean())
    difference = made.difference("a", "b", "accuracy")
    assert (difference.low, difference.high) == resampled_interval(rows["a"].astype(float) - rows["b"], groups)
    table = made.table()
    assert table[1]["accuracy"]["difference"]["low"] == -difference.high
    (decision,) = decide({"one": made}, [Primary(method="a", against="b")])
    assert (decision.low, decision.high) == (difference.low, difference.high)


def test_samples_without_groups_stand_alone_and_other_columns_keep_students_interval():
    made, rows = on_one_split()
    assert made.summary("a", "accuracy").low == resampled_interval(rows["a"], np.arange(50))[0]
    made.results["a"][0].test["macro_f1"] = 0.9
    assert made.summary("a", "macro_f1") == estimate([0.9, 0.6, 0.6])


def test_without_stored_answers_it_is_students_interval():
    made, _ = on_one_split()
    del made.results["a"][1].test["right"]
    assert made.summary("a", "accuracy") == estimate(made.values("a", "accuracy"))


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_answers_are_packed_and_unpacked(right):
    assert unpack(pack(np.array(right)), len(right)).tolist() == right


def test_a_real_comparison_on_a_fixed_split_stores_answers_and_groups(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    arrays = {"a": rng.normal(y[:, None], 1, (120, 3)), "b": rng.normal(0, 1, (120, 2))}
    data = eq.Dataset(arrays, y, groups=np.arange(120) // 3).split(seed=0)
    options = {"seeds": 2, "epochs": 1, "quiet": True, "redraw": "none", "measure": {"bootstrap": 0}}
    made = eq.compare(data, ["joint"], out=tmp_path / "out", **options)
    (right, again) = (unpack(r.test["right"], r.test["samples"]) for r in made.results["joint"])
    assert [right.mean(), again.mean()] == pytest.approx(made.values("joint", "accuracy"))
    assert made.provenance["test_groups"] == np.unique(data.test.groups.astype(int), return_inverse=True)[1].tolist()
    assert load_comparison(tmp_path / "out").summary("joint", "accuracy") == made.summary("joint", "accuracy")
    assert (
        "right" not in json.loads((tmp_path / "out" / "joint" / "seed-0" / "history.jsonl").read_text())["validation"]
    )
