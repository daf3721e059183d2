"""Tuning on validation: the same budget for all, nothing of test, nothing done twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import equimodal as eq
from equimodal.comparison import jobs, tuning
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.tuning import candidates, choose
from equimodal.config.compare import Tuning
from equimodal.config.run import build_config
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.training.fit import train

BASE: dict[str, Any] = {
    "data": {"name": "toy"},
    "model": {"width": 6},
    "training": {"epochs": 2, "batch_size": 32},
    "measure": {"bootstrap": 0},
    "reference": False,
}
RATES = {"training.learning_rate": [1e-9, 1e-2]}


def make_data(flip_test: bool = False) -> Splits:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    arrays = {
        "strong": rng.normal(labels[:, None], 0.5, (150, 3)).astype(np.float32),
        "weak": rng.normal(labels[:, None] / 2, 1, (150, 2)).astype(np.float32),
    }
    splits = eq.Dataset(arrays, labels, name="toy").split(seed=0)
    if flip_test:
        test = splits.test
        wrong = eq.Dataset({k: -10 * v for k, v in test.arrays.items()}, (test.labels + 1) % 3, ids=test.ids)
        splits = Splits(splits.train, splits.validation, wrong)
    return splits


def comparison(methods, tune, **changes):
    return build_config({**BASE, **changes, "compare": {"methods": methods, "seeds": 2, "tune": tune}})


def test_the_untouched_configuration_comes_first_and_everyone_gets_as_many():
    config = build_config({**BASE, "method": "uniform"})
    tune = Tuning(trials=4, grid={"training.learning_rate": [0.001, 0.01, 0.1]}, own={"uniform": {"weight": [1, 2, 3]}})
    found = list(candidates(config, "uniform", tune))
    assert found[0] == config and len(found) == 4
    assert len({other.hash() for other in found}) == 4
    tried = [(c.training.learning_rate, c.method.options.get("weight", 1)) for c in found]
    assert set(tried) <= {(rate, weight) for rate in (0.001, 0.01, 0.1) for weight in (1, 2, 3)}
    other = list(candidates(build_config({**BASE, "method": "joint"}), "joint", tune))
    assert sorted(c.training.learning_rate for c in other) == [0.001, 0.01, 0.1]  # its grid holds no more
    again = list(candidates(config, "uniform", tune))
    assert [c.hash() for c in again] == [c.hash() for c in found]


def test_an_impossible_value_is_told_with_the_method():
    tune = Tuning(trials=2, own={"uniform": {"weight": [-1]}})
    with pytest.raises(ConfigError, match=r"compare\.tune, uniform: method\.weight"):
        list(candidates(build_config({**BASE, "method": "uniform"}), "uniform", tune))


def test_the_best_on_validation_is_chosen():
    data = make_data()
    tuned = list(candidates(build_config({**BASE, "method": "joint"}), "joint", Tuning(trials=3, grid=RATES)))
    chosen = choose(tuned, data, lambda: None, None)
    accuracies = [train(config, data, quiet=True).validation.scores for config in tuned]
    ranks = [(scores["accuracy"], -scores["loss"]) for scores in accuracies]
    assert chosen == tuned[ranks.index(max(ranks))]
    assert chosen.training.learning_rate == 1e-2  # the others hardly move


def test_test_is_never_looked_at():
    tuned = list(candidates(build_config({**BASE, "method": "joint"}), "joint", Tuning(trials=3, grid=RATES)))
    chosen = [choose(tuned, make_data(flip_test=flip), lambda: None, None) for flip in (False, True)]
    assert chosen[0] == chosen[1]


def test_a_comparison_tunes_each_seed_and_goes_on_where_it_was(tmp_path, monkeypatch):
    config = comparison(["joint", "uniform"], {"trials": 3, "grid": RATES, "own": {"uniform": {"weight": [0.5]}}})
    data = make_data()
    trained: list[tuple[str, int]] = []
    plain = tuning.set_up

    def watched(config, *arguments, **options):
        trained.append((config.method.label, config.seed))
        return plain(config, *arguments, **options)

    monkeypatch.setattr(tuning, "set_up", watched)
    found = run_comparison(config, data, out=tmp_path / "out", quiet=True)
    assert {key: trained.count(key) for key in trained} == {
        (method, seed): 3 for method in ("joint", "uniform", "unimodal_ensemble") for seed in (0, 1)
    }
    for method in ("joint", "uniform"):
        for seed in (0, 1):
            run = eq.load(tmp_path / "out" / method / f"seed-{seed}")
            assert run.config.training.learning_rate == 1e-2
            assert found.results[method][seed].test["accuracy"] == run.test.scores["accuracy"]
            trials = tmp_path / "out" / "_tuning" / method / f"seed-{seed}"
            assert sorted(path.name for path in trials.iterdir()) == ["trial-0", "trial-1", "trial-2"]
            assert not list(trials.rglob("metrics.json"))  # test was not measured
    trained.clear()

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(jobs, "train", never)
    again = run_comparison(config, data, out=tmp_path / "out", quiet=True)
    assert trained == [] and again.to_dict()["results"] == found.to_dict()["results"]


def test_a_wrong_candidate_is_told_before_anything_is_trained(tmp_path):
    config = comparison(["joint"], {"trials": 3, "grid": {"model.encoders.strong": ["mlp", "cnn"]}})
    with pytest.raises(ConfigError, match="cnn"):
        run_comparison(config, make_data(), out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
