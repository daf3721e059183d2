"""Tuning on validation: the same budget for all, nothing of test, nothing done twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.comparison import jobs, tuning
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.tuning import candidates, choose, tuned_values
from equimodal.config.compare import Tuning
from equimodal.config.run import RunConfig, build_config
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.training.fit import set_up, train
from equimodal.training.loop import Trainer
from equimodal.training.run import load

BASE: dict[str, Any] = {
    "data": {"name": "toy"},
    "model": {"width": 6},
    "training": {"epochs": 2, "batch_size": 32},
    "measure": {"bootstrap": 0},
    "reference": False,
}
RATES = {"training.learning_rate": [1e-9, 1e-2]}


def trials(data: Splits) -> Callable[[RunConfig, Path | None], Trainer]:
    """Set up each candidate as configured."""
    return lambda config, folder: set_up(config, data, folder=folder)


def with_labels(data: eq.Dataset, labels: list[int]) -> eq.Dataset:
    return eq.Dataset(dict(data.arrays), [data.classes[label] for label in labels], classes=data.classes, ids=data.ids)


def eq_predict(model: eq.Classifier, data: eq.Dataset) -> list[int]:
    """Return the predicted class numbers, from the logits."""
    with torch.no_grad():
        prepared = model.eval().prepare(data)
        return model(prepared.batch(range(len(data)))).argmax(-1).tolist()


def make_data() -> Splits:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    arrays = {
        "strong": rng.normal(labels[:, None], 0.5, (150, 3)).astype(np.float32),
        "weak": rng.normal(labels[:, None] / 2, 1, (150, 2)).astype(np.float32),
    }
    return eq.Dataset(arrays, labels, name="toy").split(seed=0)


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


def test_learning_rates_by_modality_are_tuned_as_other_settings_are():
    config = build_config({**BASE, "method": "joint"})
    tune = Tuning(trials=3, grid={"training.learning_rates.weak": [1e-4, 1e-5]})
    found = list(candidates(config, "joint", tune))
    assert [c.training.learning_rates for c in found] == [{}, {"weak": 1e-4}, {"weak": 1e-5}]
    assert tuned_values(found, found[2]) == {"training.learning_rates.weak": 1e-5}
    assert tuned_values(found, found[0]) == {"training.learning_rates.weak": None}


def test_an_impossible_value_is_told_with_the_method():
    tune = Tuning(trials=2, own={"uniform": {"weight": [-1]}})
    with pytest.raises(ConfigError, match=r"compare\.tune, uniform: method\.weight"):
        list(candidates(build_config({**BASE, "method": "uniform"}), "uniform", tune))


def test_the_best_on_validation_is_chosen():
    data = make_data()
    tuned = list(candidates(build_config({**BASE, "method": "joint"}), "joint", Tuning(trials=3, grid=RATES)))
    chosen = choose(tuned, data, trials(data), None)
    accuracies = [train(config, data, quiet=True).validation.scores for config in tuned]
    ranks = [(scores["accuracy"], -scores["loss"]) for scores in accuracies]
    assert chosen == tuned[ranks.index(max(ranks))]
    assert chosen.training.learning_rate == 1e-2  # the others hardly move


@pytest.mark.parametrize("select", ["accuracy", "loss"])
def test_tuning_reads_validation_and_never_test(select):
    """The test part is made for the worst candidate: its labels are what that candidate predicts."""
    config = build_config({**BASE, "method": "joint", "training": {**BASE["training"], "select": select}})
    tuned = list(candidates(config, "joint", Tuning(trials=3, grid=RATES)))
    data = make_data()
    worst = next(found for found in tuned if found.training.learning_rate == 1e-9)
    predicted = eq_predict(train(worst, data, quiet=True).model, data.test)
    rigged = Splits(data.train, data.validation, with_labels(data.test, predicted))
    runs = [train(found, rigged, quiet=True) for found in tuned]
    on_test = [run.test.scores["accuracy"] for run in runs]
    assert on_test[tuned.index(worst)] == 1.0 == max(on_test)
    assert on_test.count(1.0) == 1  # a choice on test would take the worst
    scores = [run.validation.scores for run in runs]
    by = [(-s["loss"] if select == "loss" else s["accuracy"], -s["loss"]) for s in scores]
    assert choose(tuned, rigged, trials(rigged), None) == tuned[by.index(max(by))] != worst


def test_a_comparison_tunes_on_validation_and_never_on_test(monkeypatch):
    """Each candidate's score is that of the validation part of the seed's own split."""
    config = comparison(["joint"], {"trials": 3, "grid": RATES})
    data, seen = make_data(), []
    plain = tuning.measure_part

    def watched(trainer, part, name, *rest):
        seen.append((name, part.ids.tolist(), trainer.config.seed))
        return plain(trainer, part, name, *rest)

    monkeypatch.setattr(tuning, "measure_part", watched)
    run_comparison(config, data, quiet=True)
    assert len(seen) == 3 * 2 * 2  # candidates, methods, seeds
    for name, ids, seed in seen:
        assert (name, ids) == ("validation", data.redraw(seed).validation.ids.tolist())


@pytest.mark.parametrize("kept", [False, True])
def test_a_candidate_that_diverges_is_not_chosen_and_ends_nothing(kept, tmp_path):
    grid = {"training.learning_rate": [1e30, 1e-2]}
    training = {**BASE["training"], "optimiser": "sgd", "clip_norm": None}
    config = comparison(["joint"], {"trials": 3, "grid": grid}, training=training)
    out = tmp_path / "out" if kept else None
    found = run_comparison(config, make_data(), out=out, quiet=True)
    assert found.failures == ()
    for result in found.results["joint"]:
        assert result.tuned in ({"training.learning_rate": 1e-2}, {"training.learning_rate": 1e-3})
    if out is not None:
        again = run_comparison(config, make_data(), out=out, quiet=True)
        assert again.to_dict()["results"] == found.to_dict()["results"]


def test_the_choice_of_each_seed_is_in_the_results(tmp_path):
    config = comparison(["joint", "uniform"], {"trials": 3, "grid": RATES, "own": {"uniform": {"weight": [0.5]}}})
    found = run_comparison(config, make_data(), out=tmp_path, quiet=True)
    assert load_comparison(tmp_path).to_dict() == found.to_dict()
    for method, keys in {"joint": ["training.learning_rate"], "uniform": None}.items():
        for result in found.results[method]:
            assert result.tuned is not None
            assert keys is None or list(result.tuned) == keys
            run = load(tmp_path / method / f"seed-{result.seed}").config.to_dict()
            for key, value in result.tuned.items():
                section, option = key.split(".")
                assert run[section][option] == value
    (plain,) = run_comparison(comparison(["joint"], None), make_data(), quiet=True).results["joint"][:1]
    assert plain.tuned is None


def test_a_comparison_tunes_each_seed_and_goes_on_where_it_was(tmp_path, monkeypatch):
    config = comparison(["joint", "uniform"], {"trials": 3, "grid": RATES, "own": {"uniform": {"weight": [0.5]}}})
    data = make_data()
    trained: list[tuple[str, int]] = []
    plain = tuning.measure_part

    def watched(trainer, *arguments):
        trained.append((trainer.config.method.label, trainer.config.seed))
        return plain(trainer, *arguments)

    monkeypatch.setattr(tuning, "measure_part", watched)
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
