"""Missing entries: how many are drawn, of which rows, never all of a row, and the same in a run that is loaded."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import equimodal as eq
from equimodal.comparison.compare import compare
from equimodal.config.controls import Absence
from equimodal.config.run import build_config
from equimodal.contribution.missing import value_missing
from equimodal.data.catalogue import load, load_configured
from equimodal.data.dataset import Dataset
from equimodal.data.missing import draw_missing, keep_some
from equimodal.errors import ConfigError
from equimodal.inference.evaluation import evaluate_run, rows_to_predict
from equimodal.training.fit import train
from equimodal.training.names import resolve

from .own_data import write_own_data

NAMES = ("a", "b", "c")
MANY = 20_000


def drawn(absence, has=None, seed=0, **about):
    has = np.ones((MANY, 3), bool) if has is None else has
    return draw_missing(has, Absence.model_validate(absence), NAMES, seed, **about)


def shares(kept):
    """Return how often each set of kept modalities comes: (2, 2, 2)."""
    return np.array([(kept == row).all(1).mean() for row in itertools.product([False, True], repeat=3)])


@pytest.mark.parametrize("rates", [(0.5, 0.5, 0.5), (0.9, 0.2, 0.6), (0.95, 0.95, 0.99), (1.0, 1.0, 0.3), (0, 0, 1)])
def test_random_entries_are_independent_draws_drawn_again_where_nothing_is_left(rates):
    kept = keep_some(np.array(rates, float), np.ones((MANY, 3), bool), np.random.default_rng(1))
    again = np.random.default_rng(2).random((10 * MANY, 3)) >= np.array(rates)
    again = again[again.any(1)]
    assert kept.any(1).all()
    assert np.abs(shares(kept) - shares(again)).max() < 0.012


def test_the_expected_accuracy_over_masks_is_that_of_the_comparison():
    """The numbers of a study, which draw nothing, are the mean over the masks that are drawn here."""
    values = {"": 0.1, "a": 0.5, "b": 0.3, "c": 0.2, "a+b": 0.7, "a+c": 0.6, "b+c": 0.4, "a+b+c": 0.9}
    names = ["+".join(np.array(NAMES)[row]) for row in drawn(0.7)]
    assert np.mean([values[name] for name in names]) == pytest.approx(value_missing(values, 3, 0.7), abs=0.005)


def test_rows_that_lack_entries_lose_none_that_they_need():
    has = np.random.default_rng(3).random((MANY, 3)) < 0.4
    for absence in (
        0.9,
        {"rate": 0.6, "pattern": "structured"},
        {"rate": 0.9, "pattern": "structured", "block": 7},
        {"rate": {"a": 1.0, "b": 1.0}},
    ):
        kept = drawn(absence, has)
        assert not (kept & ~has).any()
        assert (kept.any(1) == has.any(1)).all()


def test_structured_takes_one_modality_or_none():
    one = drawn({"rate": 0.6, "pattern": "structured"})
    assert set(one.sum(1)) == {2, 3}
    assert (~one).mean(0) == pytest.approx([0.2] * 3, abs=0.01)
    assert set(drawn({"rate": 1, "pattern": "structured"}).sum(1)) == {2}
    named = drawn({"rate": {"a": 0.5, "c": 0.1}, "pattern": "structured"})
    assert (~named).mean(0) == pytest.approx([0.5, 0, 0.1], abs=0.01)
    assert set(named.sum(1)) == {2, 3}


def test_structured_by_blocks_is_alike_within_a_block():
    kept = drawn({"rate": 0.5, "pattern": "structured", "block": 8})
    blocks = kept.reshape(-1, 8, 3)
    assert (blocks == blocks[:, :1]).all()
    assert np.abs(shares(blocks[:, 0]) - np.array([0, *[1 / 7] * 7])).max() < 0.02


@pytest.mark.parametrize(("rate", "low", "high"), [(0.3, 0.0, 0.6), (0.8, 0.6, 1.0)])
def test_rates_by_label_are_spread_around_their_mean_and_the_same_in_every_part(rate, low, high):
    labels = np.arange(MANY) % 5
    kept = drawn({"rate": {"a": rate}, "pattern": "label"}, labels=labels, classes=5)
    by_class = np.array([(~kept[labels == k, 0]).mean() for k in range(5)])
    assert np.sort(by_class) == pytest.approx(np.linspace(low, high, 5), abs=0.02)
    assert kept[:, 1:].all()
    other = drawn({"rate": {"a": rate}, "pattern": "label"}, labels=labels, classes=5, part="test")
    assert [(~other[labels == k, 0]).mean() for k in range(5)] == pytest.approx(by_class, abs=0.02)
    assert (other != kept).any()


def test_rates_by_group_differ_between_groups():
    groups = np.repeat(["ann", "bob", "cy", "di"], MANY // 4)
    kept = drawn({"rate": {"b": 0.4}, "pattern": "group"}, groups=groups)
    by_group = [(~kept[groups == name, 1]).mean() for name in np.unique(groups)]
    assert np.sort(by_group) == pytest.approx([0, 0.8 / 3, 1.6 / 3, 0.8], abs=0.02)
    alone = drawn({"rate": {"b": 0.4}, "pattern": "group"}, groups=np.full(MANY, "ann"))
    assert (~alone[:, 1]).mean() == pytest.approx(0.4, abs=0.01)


# Parts of a data set


@pytest.fixture(scope="module")
def splits():
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(600, 2)) for name in NAMES}
    present = {"b": random.random(600) < 0.9}
    return Dataset(arrays, np.arange(600) % 3, present=present, groups=np.arange(600) // 4).split(seed=0)


def absent(rows):
    return {name: round(1 - here.mean(), 2) for name, here in rows.present.items()}


def test_parts_lose_what_is_said_of_them(splits):
    made = splits.with_controls(missing={"train": {"rate": {"a": 0.5}}, "test": {"rate": {"c": 1.0}}})
    assert 0.4 < absent(made.train)["a"] < 0.6 and 0.4 < absent(made.validation)["a"] < 0.6
    assert absent(made.test) == {**absent(splits.test), "c": 1.0}
    assert made.provenance["controls"]["absent"]["test"]["c"] == 1.0
    apart = splits.with_controls(missing={"train": 0.5, "validation": 0})
    assert absent(apart.validation) == absent(splits.validation) and absent(apart.test) == absent(splits.test)
    assert np.array_equal(apart.train.column("a").take(slice(0, 9)), splits.train.column("a").take(slice(0, 9)))


def test_entries_follow_from_the_seed_and_are_drawn_anew_with_a_split(splits):
    missing = {"train": 0.5, "test": 0.5}
    once, again, other = (splits.with_controls(missing=missing, seed=seed) for seed in (1, 1, 2))
    assert once.fingerprint() == again.fingerprint() != other.fingerprint()
    redrawn = once.redraw(5)
    assert redrawn.fingerprint() == splits.redraw(5).with_controls(missing=missing, seed=5).fingerprint()
    with pytest.raises(ConfigError, match="noise, distractors or missing entries already"):
        once.with_controls({"a": 1})


def test_distractors_can_be_missing_too(splits):
    static = {"static": {"kind": "noise", "size": 2}}
    made = splits.with_controls(distractors=static, missing={"test": {"rate": {"static": 1}}})
    assert absent(made.test)["static"] == 1 and absent(made.train)["static"] == 0


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"test": 1.5}, "data.missing.test.rate: input should be less than or equal to 1"),
        ({"test": {"rate": {"a": -1}}}, "data.missing.test.rate.a: input should be greater than or equal to 0"),
        ({"test": 1}, "at a rate of 1 nothing would be left of a row"),
        ({"test": {"rate": dict.fromkeys(NAMES, 1)}}, "data.missing.test.rate: at a rate of 1 for each modality"),
        ({"test": {"rate": {"aa": 0.5}}}, "data.missing.test.rate.aa: data has no modality 'aa'. Did you mean 'a'?"),
        ({"tset": 0.5}, "Unknown key 'data.missing.tset'. Did you mean 'test'?"),
        ({"test": {"rate": 0.5, "pattern": "lable"}}, "Did you mean 'label'?"),
        ({"test": {"rate": 0.5, "block": 3}}, "a block of rows is for the pattern 'structured'"),
        ({"test": {"pattern": "random"}}, "data.missing.test.rate"),
        ({"test": {"rate": {"a": 0.8, "b": 0.3}, "pattern": "structured"}}, "should sum to 1 at most, got 1.1"),
        ({"test": True}, "data.missing.test"),
        ({"train": {"rate": {"b": 1}}}, "data.missing.train: no training row would keep 'b'"),
        ({"train": {"rate": {"x": 1}}, "test": {"rate": {"y": 1}}}, "2 problems"),
    ],
)  # fmt: skip
def test_mistakes_are_named(splits, missing, message):
    with pytest.raises(ConfigError) as caught:
        splits.with_controls(missing=missing)
    assert message in str(caught.value)


def test_without_groups_no_rate_differs_by_group():
    data = Dataset({"a": np.ones((60, 2)), "b": np.eye(60)}, np.arange(60) % 2).split(seed=0)
    with pytest.raises(ConfigError, match=r"data\.missing\.test\.pattern: data has no groups"):
        data.with_controls(missing={"test": {"rate": 0.5, "pattern": "group"}})


def test_a_configuration_with_missing_entries_survives_yaml_and_an_earlier_one_keeps_its_hash():
    plain = build_config({"data": {"name": "emoji"}})
    content = {"train": 0.3, "test": {"rate": {"image": 0.5}, "pattern": "label"}}
    config = build_config({"data": {"name": "emoji", "missing": content}})
    assert config.to_dict()["data"]["missing"] == {"train": {"rate": 0.3, "pattern": "random"}, "test": content["test"]}
    assert build_config(config.to_dict()) == config
    assert config.hash() != plain.hash() and plain.to_dict()["data"]["missing"] == {}


def test_the_runs_of_a_comparison_know_their_missing_entries(tmp_path):
    data = load(write_own_data(tmp_path / "own"), missing={"train": 0.4, "test": 0.6})
    compare(data, ["joint"], seeds=2, out=tmp_path / "out", epochs=1, quiet=True, measure={"bootstrap": 0})
    folder = tmp_path / "out" / "joint" / "seed-1"
    run = eq.load(folder)
    assert run.config.data.missing.test.rate == 0.6
    assert evaluate_run(folder).scores == run.test.scores
    assert np.mean(list(absent(rows_to_predict(run, run.config.data.name, "test")).values())) > 0.2


def test_a_run_is_measured_on_the_same_entries_again(tmp_path):
    content = {
        "data": {
            "name": str(write_own_data(tmp_path / "own")),
            "labels": 60,
            "missing": {"train": 0.4, "test": {"rate": 0.6, "pattern": "structured", "block": 3}},
        },
        "method": "joint",
        "training": {"epochs": 1},
        "measure": {"bootstrap": 0},
        "reference": False,
    }
    config = resolve(build_config(content))
    splits = load_configured(config.data)
    run = train(config, splits, folder=tmp_path / "run", quiet=True)
    assert np.mean(list(absent(splits.test).values())) > 0.2
    assert evaluate_run(tmp_path / "run").scores == run.test.scores
    loaded = eq.load(tmp_path / "run")
    assert absent(rows_to_predict(loaded, config.data.name, "test")) == absent(splits.test)
    with pytest.raises(ConfigError, match="Name a part: --split test"):
        rows_to_predict(loaded, config.data.name, None)
