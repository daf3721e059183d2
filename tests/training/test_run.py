"""Runs: their folders, what is refused, what comes back, and the reference of utilisation."""

import json
import re
from itertools import product

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from equimodal.config.run import build_config
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError, EquimodalError, Interrupted, RunError
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.mlp import MLP
from equimodal.models.predict import class_probabilities
from equimodal.reports.write import report
from equimodal.training.checkpoint import load_tensors, save_tensors
from equimodal.training.fit import fit, train
from equimodal.training.folder import differences, read_config
from equimodal.training.run import load, load_model
from synthetic import make_model
from training.runs import (
    BATCHES,
    EPOCHS,
    METHOD_OF_EACH_KIND,
    assert_same_run,
    assert_same_weights,
    at_batch,
    fit_tiny,
    names_in,
    press_ctrl_c,
)


class Mean(nn.Module):
    """An encoder of one's own: the mean of the valid steps, of another width than the model's."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 11)

    def forward(self, x, lengths):
        valid = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        return self.out((x * valid[..., None]).sum(1) / lengths[:, None])


class Unregistered(MLP):
    """A built-in encoder's subclass that nobody can name."""


def own_model(tiny):
    torch.manual_seed(5)
    return Classifier.for_data(tiny, {"sequence": Mean()}, width=6, seed=0)


# Folders


@pytest.mark.parametrize("method", METHOD_OF_EACH_KIND)
def test_a_loaded_run_is_the_run(tiny, tmp_path, method):
    run = fit_tiny(tiny, method, tmp_path / "run")
    again = load(tmp_path / "run")
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert (again.test, again.validation, again.reference) == (run.test, run.validation, run.reference)
    assert (again.history, again.config, again.best_epoch) == (run.history, run.config, run.best_epoch)
    assert not again.model.training
    for names in (None, ["vector"], ["sequence"]):
        assert torch.equal(
            class_probabilities(run.model, tiny.test, names), class_probabilities(again.model, tiny.test, names)
        )


def test_what_a_folder_holds(tiny, tmp_path):
    run = fit_tiny(tiny, "paper", tmp_path / "run", reference=True)
    assert names_in(tmp_path / "run") == [
        "checkpoint",
        "config.yaml",
        "history.jsonl",
        "metrics.json",
        "model.safetensors",
        "predictions.csv",
        "reference",
    ]
    content = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    provenance = content.pop("provenance")
    assert build_config(content) == run.config == read_config(tmp_path / "run")
    assert provenance["config"] == run.config.hash()
    assert provenance["split"]["sizes"] == {"train": 48, "validation": 16, "test": 16}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == run.test.scores["accuracy"]
    assert metrics["config"] == run.config.hash()


def test_going_on_with_a_finished_run_changes_nothing(tiny, tmp_path):
    fit_tiny(tiny, "equilibrium", tmp_path / "one", reference=True)
    fit_tiny(tiny, "equilibrium", tmp_path / "two", reference=True)
    before = (tmp_path / "two" / "history.jsonl").read_bytes()
    fit_tiny(tiny, "equilibrium", tmp_path / "two", resume=True, reference=True)
    assert (tmp_path / "two" / "history.jsonl").read_bytes() == before
    assert_same_run(tmp_path / "one", tmp_path / "two")


def test_going_on_with_nothing_is_a_start(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "one")
    (tmp_path / "two").mkdir()
    fit_tiny(tiny, "joint", tmp_path / "two", resume=True)
    assert_same_run(tmp_path / "one", tmp_path / "two")


def test_what_may_not_be_overwritten(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(RunError, match=r"a run with this configuration already\. Continue with --resume"):
        fit_tiny(tiny, "joint", tmp_path / "run")
    for resume in (True, False):
        with pytest.raises(RunError, match=r"another configuration \(training\.epochs: 2 there, 3 here\)"):
            fit_tiny(tiny, "joint", tmp_path / "run", epochs=3, resume=resume)
    with pytest.raises(RunError, match=r"method\.name: 'joint' there, 'uniform' here"):
        fit_tiny(tiny, "uniform", tmp_path / "run", resume=True)
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="not empty, and not the folder of a run"):
        fit_tiny(tiny, "joint", tmp_path / "other")
    assert names_in(tmp_path / "other") == ["thesis.tex"]


def test_differences_are_named_by_key_and_comparisons_do_not_count():
    one = build_config({"method": "equilibrium:memory.encoders=true", "seed": 1, "compare": {"seeds": 3}})
    other = build_config({"method": "equilibrium:memory.encoders=false", "seed": 2, "training": {"patience": 4}})
    assert differences(one.to_dict(), one.to_dict()) == []
    found = [line.partition(": ")[0] for line in differences(one.to_dict(), other.to_dict())]
    assert found == ["method.label", "method.memory.encoders", "seed", "training.patience"]


def test_a_mistake_leaves_no_folder_behind(tiny, tmp_path):
    nameless = make_model(tiny, encoders={"vector": Unregistered(features=5)})
    mistakes = [
        (ConfigError, "Did you mean 'joint'", {"method": "jiont"}),
        (ConfigError, r"training\.epochs", {"epochs": 0}),
        (ConfigError, "smell", {"measure": {"target": {"smell": 1.0}}}),
        (ConfigError, "trains the fusions", {"model": make_model(tiny, fusion="refined")}),
        (ConfigError, "Unregistered is not registered", {"model": nameless}),
        (ConfigError, "training.accelerator", {"accelerator": "abacus"}),
    ]
    for kind, message, options in mistakes:
        with pytest.raises(kind, match=message):
            fit_tiny(tiny, **{"method": "joint", "out": tmp_path / "run", **options})
        assert not (tmp_path / "run").exists(), message


def test_data_of_another_shape_than_the_model_was_made_for(tiny, tmp_path):
    labels = np.array(["ant", "bee", "cat"] * 10)
    wide = Dataset({"vector": np.ones((30, 7)), "sequence": np.ones((30, 9, 3))}, labels)
    model = Classifier.for_data(wide.split(seed=0))
    with pytest.raises(DataError, match="vector: the model was made for features 7, the data have features 5"):
        fit_tiny(tiny, "joint", tmp_path / "run", model=model)
    assert not (tmp_path / "run").exists()


# Loading what is not whole


def test_folders_that_hold_no_finished_run(tiny, tmp_path):
    with pytest.raises(RunError, match=r"holds no finished run \(there is no such folder\)"):
        load(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"holds no finished run \(no run\)"):
        load(tmp_path)
    fit_tiny(tiny, "joint", tmp_path / "both" / "joint" / "seed-0")
    below = re.escape(str(tmp_path / "both" / "joint" / "seed-0"))
    for place in ("both", "both/joint"):
        with pytest.raises(RunError, match=rf"\(no run; there are some below it, for instance {below}\)"):
            load(tmp_path / place)
    with pytest.raises(RunError, match=r"\(it is a file\)"):
        load(tmp_path / "both" / "joint" / "seed-0" / "config.yaml")
    with pytest.raises(RunError, match="not the folder of a run"):
        read_config(tmp_path)
    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "half")
    with pytest.raises(RunError, match="not finished: continue with --resume"):
        load(tmp_path / "half")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *product(("metrics.json", "history.jsonl", "model.safetensors"), ("cut", "binary", "missing", "hollow")),
        *product(("config.yaml",), ("binary", "missing")),
    ],
)
def test_a_damaged_file_of_a_run_is_named(tiny, tmp_path, name, damage):
    fit_tiny(tiny, "joint", tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        checkpoint = (tmp_path / "checkpoint" / "state.safetensors").read_bytes()
        hollow = {"model.safetensors": checkpoint, "metrics.json": b"{}", "history.jsonl": b"[1\n"}.get(name, b"")
        path.write_bytes(
            {"cut": content[: len(content) // 3], "binary": b"\xff\xfe\x00" * 90, "hollow": hollow}[damage]
        )
    with pytest.raises(EquimodalError) as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"epoch"', '{"epochs"'),
        ('"validation": {', '"validation": 3, "other": {'),
        ('"accuracy"', '"precision"'),
        ('"train": {', '"train": [], "other": {'),
        ('"phase"', '"stage"'),
        ('"best": true', '"best": false'),
    ],
)
def test_a_history_of_another_form_is_one_message(tiny, tmp_path, before, after):
    fit_tiny(tiny, "joint", tmp_path)
    history = tmp_path / "history.jsonl"
    text = history.read_text()
    assert before in text
    for changed in (text.replace(before, after), ""):
        history.write_text(changed)
        with pytest.raises(RunError, match=r"history\.jsonl: is damaged \(.*\)\. Train the run again") as caught:
            load(tmp_path)
        assert str(caught.value).count("\n") == 0


# Encoders of one's own


def test_encoders_of_ones_own_are_trained_saved_and_asked_for(tiny, tmp_path):
    run = fit_tiny(tiny, "equilibrium", tmp_path / "run", model=own_model(tiny))
    with pytest.raises(ConfigError, match=r"encoders of your own for sequence: .*load\(folder, encoders="):
        load(tmp_path / "run")
    again = load(tmp_path / "run", encoders={"sequence": Mean()})
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert torch.equal(class_probabilities(run.model, tiny.test), class_probabilities(again.model, tiny.test))
    with pytest.raises(RunError, match="its weights do not fit the encoders given"):
        load(tmp_path / "run", encoders={"sequence": nn.Linear(3, 11)})


def test_a_run_of_encoders_of_ones_own_goes_on_to_the_bit(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "whole", model=own_model(tiny))
    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "stopped", model=own_model(tiny))
    fit_tiny(tiny, "joint", tmp_path / "stopped", model=own_model(tiny), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_saved_model_is_rebuilt_from_its_header_alone(tiny, tmp_path):
    for method, fusion in (("joint", "gated"), ("uniform", "concat"), ("equilibrium", "memory")):
        model = make_model(tiny, width=6, fusion=fusion)
        fit_tiny(tiny, method, tmp_path / fusion, model=model)
        again = load_model(tmp_path / fusion / "model.safetensors")
        assert again.specification() == model.specification()
        assert torch.equal(class_probabilities(again, tiny.test), class_probabilities(model, tiny.test))


def test_encoders_given_are_not_blamed_for_parts_of_another_version(tiny, tmp_path):
    fit_tiny(tiny, "equilibrium", tmp_path / "run", model=own_model(tiny))
    path = tmp_path / "run" / "model.safetensors"
    tensors, metadata = load_tensors(path)
    save_tensors(path, tensors | {"_fusion.gone": torch.zeros(1)}, metadata)
    with pytest.raises(RunError, match=r"unexpected: _fusion\.gone.*train again"):
        load(tmp_path / "run", encoders={"sequence": Mean()})


def test_a_model_of_a_version_with_other_parts_says_to_train_again(tiny, tmp_path):
    fit_tiny(tiny, "equilibrium", tmp_path / "run", model=make_model(tiny, width=6, fusion="memory"))
    path = tmp_path / "run" / "model.safetensors"
    tensors, metadata = load_tensors(path)
    for part in ("_fusion.correction.", "_fusion.head"):
        kept = {name: tensor for name, tensor in tensors.items() if part not in name}
        assert len(kept) < len(tensors)
        save_tensors(path, kept, metadata)
        with pytest.raises(RunError, match=r"Another version of equimodal wrote it.*train again") as caught:
            load(tmp_path / "run")
        assert part in str(caught.value) and str(path) in str(caught.value)
    save_tensors(path, tensors | {"_fusion.gone": torch.zeros(1)}, metadata)
    with pytest.raises(RunError, match=r"unexpected: _fusion\.gone.*train again"):
        load(tmp_path / "run")


# The reference


def test_the_reference_is_the_unimodal_ensemble_with_the_same_budget_and_start(tiny, tmp_path):
    run = fit_tiny(tiny, "joint", tmp_path / "run", reference=True)
    ensemble = fit_tiny(tiny, "unimodal_ensemble")
    assert run.reference == ensemble.reference and run.test.ability == ensemble.test.ability
    assert run.reference is not None and ensemble.test.contribution.intervals is not None
    for split, measured in (("validation", ensemble.validation), ("test", ensemble.test)):
        assert dict(run.reference[split]) == measured.alone
        assert run.reference[split].shares == measured.shares
    assert run.reference["test"].gains == ensemble.test.contribution.intervals.alone
    assert load(tmp_path / "run" / "reference").test.alone == ensemble.test.alone
    assert run.test.utilisation is not None
    empty = run.test.contribution.value_empty
    for name in tiny.modalities:
        possible = ensemble.test.alone[name] - empty
        expected = pytest.approx((run.test.alone[name] - empty) / possible, abs=1e-6) if possible > 0 else None
        assert run.test.utilisation[name] == expected


def test_the_reference_does_not_touch_the_run(tiny):
    with_it, without = fit_tiny(tiny, "equilibrium", reference=True), fit_tiny(tiny, "equilibrium")
    assert_same_weights(with_it.model.state_dict(), without.model.state_dict())
    assert without.reference is None and without.test.utilisation is None


def test_the_reference_brings_its_own_fusion(tiny):
    given = fit_tiny(tiny, "joint", model=make_model(tiny, width=6, fusion="gated"), reference=True)
    left_open = fit_tiny(tiny, "joint", model=make_model(tiny, width=6), reference=True)
    assert given.model.fusion_name == "gated"
    assert given.reference == left_open.reference


def test_the_ensemble_is_its_own_reference(tiny):
    run = fit_tiny(tiny, "unimodal_ensemble", epochs=6, learning_rate=0.01, reference=True)
    assert run.test.utilisation is not None
    assert all(value is None or value == pytest.approx(1) for value in run.test.utilisation.values())


def test_a_stop_in_the_reference_is_resumed_there(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "whole", reference=True)
    with at_batch(EPOCHS * BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "stopped", reference=True)
    assert not (tmp_path / "stopped" / "history.jsonl").exists()
    fit_tiny(tiny, "joint", tmp_path / "stopped", reference=True, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    assert_same_run(tmp_path / "whole" / "reference", tmp_path / "stopped" / "reference")


# The function


def test_fit_trains_the_model_given_and_train_makes_one(tiny):
    model = make_model(tiny, width=6)
    run = fit(model, tiny, "joint", epochs=1, reference=False, quiet=True)
    assert run.model is model and model.fusion_name == "concat" and not model.training
    config = build_config({"method": "joint", "training": {"epochs": 1}, "model": {"width": 7}, "reference": False})
    made = train(config, tiny, quiet=True).model
    assert made.width == 7
    assert np.allclose(made.log_prior.exp(), np.bincount(tiny.train.labels) / len(tiny.train), atol=1e-6)


def test_a_fit_after_a_fit_goes_on_with_the_weights_there_are(tiny):
    model = make_model(tiny, width=6)
    first = {k: v.clone() for k, v in fit_tiny(tiny, "joint", model=model).model.state_dict().items()}
    second = fit_tiny(tiny, "joint", model=model, learning_rate=1e-30, weight_decay=0.0, epochs=1)
    weights = second.model.state_dict()
    assert all(torch.equal(first[name], weights[name]) for name in first if "encoders" in name)


def test_the_report_of_a_run_is_one_page(tiny, tmp_path):
    page = report(fit_tiny(tiny, "equilibrium", tmp_path / "run", reference=True), tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert text.lstrip().lower().startswith("<!doctype html>") and "<script src" not in text
