"""Runs whose fusion imputes absent modalities: what it is fitted on, and that nothing of it is lost."""

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.contribution.coalitions import all_coalitions
from equimodal.errors import Interrupted
from equimodal.methods.joint import Joint
from equimodal.models.encoded import coalition_outputs, encode_all
from equimodal.testing.data import make_splits
from equimodal.training import loop

from .runs import assert_same_run, assert_same_weights, at_batch, fit_tiny, press_ctrl_c

IMPUTATIONS = ["knn", "iterative", "mapped"]


def method(absent):
    return f"joint:fusion_options.absent={absent}"


def table(run, data):
    """The logits of every coalition."""
    model = run.model
    return coalition_outputs(model, encode_all(model, model.prepare(data)), all_coalitions(len(model.modalities)))[0]


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_a_stopped_run_ends_the_same_and_a_loaded_one_imputes_the_same(tiny, tmp_path, absent):
    whole = fit_tiny(tiny, method(absent), tmp_path / "whole")
    with pytest.raises(Interrupted), at_batch(4, press_ctrl_c):
        fit_tiny(tiny, method(absent), tmp_path / "stopped")
    fit_tiny(tiny, method(absent), tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    loaded = eq.load(tmp_path / "whole")
    assert loaded.model.fusion.substitute.fitted
    assert torch.equal(table(loaded, tiny.test), table(whole, tiny.test))


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_the_best_epoch_keeps_the_imputer_of_its_encodings(tiny, absent):
    run = fit_tiny(tiny, method(absent), epochs=3)
    model, again = run.model, fit_tiny(tiny, method(absent), epochs=3).model
    encoded = list(encode_all(model, model.prepare(tiny.train)))
    with torch.no_grad():
        torch.manual_seed(0)
        Joint(again, Joint.Config()).calibrate([], encoded)
    here, there = model.fusion.substitute, again.fusion.substitute
    assert torch.allclose(here.centre, there.centre, atol=1e-6) and int(here.rows) == len(tiny.train)
    for part in ("donors", "weights"):  # those of maps depend on all epochs
        if hasattr(here, part):
            assert torch.allclose(getattr(here, part), getattr(there, part), atol=1e-4)


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_without_gaps_the_classifier_is_trained_as_with_the_mean(absent):
    data = make_splits(80, modalities=("vector", "sequence"), absent=0.0)
    runs = [fit_tiny(data, method(name)) for name in ("mean", absent)]
    assert_same_weights(*(dict(run.model.named_parameters()) for run in runs))
    full = [table(run, data.test)[-1] for run in runs]
    alone = [table(run, data.test)[1] for run in runs]
    assert torch.equal(*full) and not torch.equal(*alone)


def test_it_is_fitted_on_some_training_rows_the_same_in_each_epoch(tiny, monkeypatch):
    monkeypatch.setattr(loop, "ROWS", 20)
    seen = []
    calibrate = Joint.calibrate

    def watch(self, validation, training=()):
        seen.append(torch.cat([part.labels for part in training]))
        calibrate(self, validation, training)

    monkeypatch.setattr(Joint, "calibrate", watch)
    fit_tiny(tiny, method("knn"))
    assert len(seen) == 2 and len(seen[0]) == 20 and torch.equal(*seen)
    seen.clear()
    fit_tiny(tiny, method("knn"), seed=1)
    counts = np.bincount(tiny.train.labels, minlength=3)
    assert (np.bincount(seen[0].numpy(), minlength=3) <= counts).all()


def test_a_fusion_that_imputes_nothing_costs_no_pass_over_training_rows(tiny, monkeypatch):
    seen = []
    monkeypatch.setattr(Joint, "calibrate", lambda self, validation, training=(): seen.append(len(training)))
    fit_tiny(tiny, method("mean"))
    assert seen == [0, 0]


@pytest.mark.parametrize(
    "training", ["joint:fusion=mlp,", "modality_dropout:p=0.5,fusion=gated,", "modality_dropout:p=0.5,fusion=concat,"]
)
def test_fusions_take_it_with_gaps_in_training(tiny, training):
    run = fit_tiny(tiny, f"{training}fusion_options.absent=knn,fusion_options.neighbours=2")
    assert run.model.fusion.substitute.neighbours == 2 and table(run, tiny.test).isfinite().all()
