"""A run that diverges ends neither the comparison nor the study, and is left out of the statistics."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

import equimodal as eq
from equimodal.comparison import jobs as module
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.reading import notes
from equimodal.comparison.study import Study, load_study
from equimodal.errors import Diverged, RunError
from equimodal.reports.write import export
from equimodal.training.fit import train

from .test_compare import QUICK, make_data

METHODS = ["joint", "alternating", "uniform"]


def diverging(monkeypatch: pytest.MonkeyPatch, *runs: tuple[str, int]) -> None:
    """Let these runs (label, seed) diverge."""

    def watched(config, *arguments, **options):
        if (config.method.label, config.seed) in runs:
            raise Diverged("Epoch 2, batch 1: the loss 'fused' became nan.")
        return train(config, *arguments, **options)

    monkeypatch.setattr(module, "train", watched)


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def whole(data):
    return eq.compare(data, METHODS, seeds=3, **QUICK)


@pytest.mark.parametrize("kept", [False, True])
def test_the_others_finish_and_the_run_is_marked(kept, data, whole, monkeypatch, tmp_path):
    diverging(monkeypatch, ("alternating", 1))
    out = tmp_path / "out" if kept else None
    found = eq.compare(data, METHODS, seeds=3, out=out, **QUICK)
    assert [(failure.method, failure.seed) for failure in found.failures] == [("alternating", 1)]
    assert "the loss 'fused' became nan" in found.failures[0].reason
    for method in ("joint", "uniform"):
        assert found.values(method, "accuracy") == whole.values(method, "accuracy")
    expected = whole.values("alternating", "accuracy")
    assert found.values("alternating", "accuracy") == [expected[0], None, expected[2]]
    text = " ".join(notes(found))
    assert "1 run diverged and has no numbers: alternating, seed 1." in text
    assert "undefined" in str(found) and "alternating, seed 1" in found.to_markdown()
    if out is not None:
        assert load_comparison(out).to_dict() == found.to_dict()
        assert json.loads((out / "comparison.json").read_text())["failures"][0]["seed"] == 1
        page, csv, *_ = export(found, tmp_path / "report")
        assert "alternating, seed 1" in page.read_text(encoding="utf-8")
        assert "alternating,1,,," in csv.read_text()


def test_statistics_are_over_the_seeds_in_which_both_finished(data, whole, monkeypatch):
    diverging(monkeypatch, ("joint", 0), ("alternating", 2))
    found = eq.compare(data, METHODS, seeds=3, **QUICK)
    uniform = found.difference("uniform", "joint", "accuracy")
    each = np.subtract(whole.values("uniform", "accuracy"), whole.values("joint", "accuracy"))[1:]
    assert (uniform.count, uniform.undefined) == (2, 1)
    assert uniform.mean == pytest.approx(each.mean())
    if np.ptp(each) > 0:
        half = stats.t.ppf(0.975, 1) * each.std(ddof=1) * np.sqrt(1 / 2 + found.overlap)
        assert uniform.high == pytest.approx(each.mean() + half)
    alternating = found.difference("alternating", "joint", "accuracy")
    assert (alternating.count, alternating.undefined) == (1, 2)
    assert found.summary("joint", "accuracy").mean == pytest.approx(np.mean(whole.values("joint", "accuracy")[1:]))


def test_on_one_split_the_bootstrap_leaves_the_run_out(data, monkeypatch):
    options = {**QUICK, "redraw": "none"}
    plain = eq.compare(data, METHODS, seeds=3, **options)
    diverging(monkeypatch, ("alternating", 1))
    found = eq.compare(data, METHODS, seeds=3, **options)
    kept = plain.right("alternating")
    assert kept is not None
    found_right = found.right("alternating")
    assert found_right is not None and np.isnan(found_right[1]).all()
    assert np.array_equal(found_right[[0, 2]], kept[[0, 2]])
    low, high = found.summary("alternating", "accuracy").low, found.summary("alternating", "accuracy").high
    assert low is not None and high is not None and low <= kept[[0, 2]].mean() <= high
    assert found.difference("alternating", "joint", "accuracy").count == 2


def test_without_the_ensemble_a_seed_has_no_utilisation(data, whole, monkeypatch):
    diverging(monkeypatch, ("unimodal_ensemble", 1))
    found = eq.compare(data, METHODS, seeds=3, **QUICK)
    assert found.values("joint", "accuracy") == whole.values("joint", "accuracy")
    used = found.values("joint", "smallest_utilisation")
    assert used[1] is None and used[0] is not None
    assert "where the unimodal ensemble diverged, utilisation has no reference" in " ".join(notes(found))


def test_a_method_that_always_diverges_is_undefined(data, monkeypatch, tmp_path):
    diverging(monkeypatch, *(("joint", seed) for seed in range(3)))
    found = eq.compare(data, METHODS, seeds=3, **QUICK)  # the baseline, even
    export(found, tmp_path)
    assert found.summary("joint", "accuracy").mean is None
    assert "in no seed both its run and that of joint finished: alternating and uniform" in str(found)
    diverging(monkeypatch, *((method, seed) for method in METHODS for seed in range(3)))
    with pytest.raises(RunError, match="Every run diverged, for instance alternating, seed 0"):
        eq.compare(data, METHODS, seeds=3, **QUICK)


def test_a_diverged_run_is_tried_again_and_others_are_not(data, monkeypatch, tmp_path):
    diverging(monkeypatch, ("alternating", 1))
    eq.compare(data, METHODS, seeds=2, out=tmp_path, **QUICK)
    trained = []

    def watched(config, *arguments, **options):
        trained.append((config.method.label, config.seed))
        return train(config, *arguments, **options)

    monkeypatch.setattr(module, "train", watched)
    again = eq.compare(data, METHODS, seeds=2, out=tmp_path, **QUICK)
    assert trained == [("alternating", 1)]
    assert again.failures == ()


def test_progress_names_the_run(data, monkeypatch, capsys):
    diverging(monkeypatch, ("joint", 0))
    eq.compare(data, ["joint", "uniform"], seeds=1, **{**QUICK, "quiet": False})
    assert "run 2/3  joint, seed 0: diverged (Epoch 2, batch 1" in capsys.readouterr().err


def test_a_study_keeps_the_failures_of_its_settings(data, whole, monkeypatch, tmp_path):
    diverging(monkeypatch, ("alternating", 1))
    for label in ("one", "two"):
        eq.compare(data, METHODS, seeds=2, out=tmp_path / label, **QUICK)
    study = Study({label: load_comparison(tmp_path / label) for label in ("one", "two")})
    study.save(tmp_path)
    assert len(load_study(tmp_path).failures) == 2
    export(study, tmp_path)


@pytest.mark.parametrize("rate", [1e4, 1e12, 1e38])
def test_every_way_to_diverge_is_one(data, rate):
    """A loss, a weight or, with finite weights, an output: none is another error."""
    options: dict[str, Any] = {**QUICK, "epochs": 6, "learning_rate": rate, "optimiser": "sgd", "clip_norm": None}
    model = eq.Classifier.for_data(data)
    with pytest.raises(Diverged, match=r"^Epoch \d.*Start again, in another folder, with a smaller"):
        eq.fit(model, data, "mla", reference=False, **options)
