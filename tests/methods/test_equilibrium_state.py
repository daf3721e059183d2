"""What the paper's method keeps from epoch to epoch, and which options it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy.special import log_softmax

from equimodal.config.run import parse_method
from equimodal.errors import ConfigError
from equimodal.methods.base import EpochResult
from equimodal.methods.equilibrium import Equilibrium
from equimodal.models.encoded import Encoded
from equimodal.training import names
from equimodal.training.fit import fit
from equimodal.training.run import load
from synthetic import linear_batch, make_model

from .contributions import additive
from .plain import make_method, run_updates
from .test_equilibrium import NAMES, PAPER, alive


def test_the_order_of_the_coming_epoch_is_what_the_probe_found():
    method = make_method("equilibrium")
    assert method.passes() == [NAMES] and method.order == NAMES
    method.on_epoch_end(EpochResult(0, additive({"a": 0.5, "b": 0.1, "c": 0.3})))
    assert method.order == NAMES  # validation, probe and checkpoint keep the order that was trained
    assert method.passes() == [("b", "c", "a")]
    assert method.order == method.model.fusion.order == ("b", "c", "a")
    fixed = make_method("equilibrium", order=["c", "a", "b"])
    fixed.on_epoch_end(EpochResult(0, additive({"a": 0.5, "b": 0.1, "c": 0.3})))
    assert fixed.passes() == [("c", "a", "b")]
    first = make_method("equilibrium", initial=["c", "a", "b"])
    assert first.passes() == [("c", "a", "b")]


def test_the_methods_state_is_saved_with_it():
    method = alive(make_method("equilibrium", **PAPER, smoothing=0.5))
    run_updates(method, [linear_batch(NAMES)])
    method.on_epoch_end(EpochResult(0, additive({"a": 0.5, "b": 0.1, "c": 0.3})))
    again = make_method("equilibrium", **PAPER, smoothing=0.5)
    again.load_state_dict(method.state_dict())
    again.model.load_state_dict(method.model.state_dict())
    for one in (method, again):
        one.on_epoch_trained()
        one.on_epoch_end(EpochResult(1, additive({"a": 0.1, "b": 0.5, "c": 0.3})))
    assert again.passes() == method.passes()
    assert torch.equal(again.model.fusion.memory.inherited_h, method.model.fusion.memory.inherited_h)
    assert not any(key.startswith("model") for key in method.state_dict())


@pytest.mark.parametrize("seed", range(6))
def test_the_memorys_strength_is_the_one_of_least_loss_on_validation(seed):
    torch.manual_seed(seed)
    method = alive(make_method("equilibrium")).eval()
    method.model.eval()
    memory = method.model.fusion.memory
    batches = [linear_batch(NAMES, samples=samples) for samples in (12, 5)]
    with torch.no_grad():
        encoded = [Encoded(method.model.encode(batch), batch.present, batch.labels) for batch in batches]
        method.calibrate(encoded)
        found = float(memory.strength)
        refinement, memory.strength = memory.refinement.weight.clone(), torch.ones(())
        losses = {}
        for value in (0.0, 0.25, 0.5, 0.75, 1.0):  # the same by scaled weights
            memory.refinement.weight.copy_(value * refinement)
            each = [log_softmax(method.model(batch).numpy(), axis=1) for batch in batches]
            losses[value] = -sum(
                logs[range(len(batch)), batch.labels].sum() for logs, batch in zip(each, batches, strict=True)
            )
    assert found == min(losses, key=losses.__getitem__)


def test_a_memory_of_full_strength_stays_so():
    method = alive(make_method("equilibrium", memory={"strength": "full"}))
    with torch.no_grad():
        method.model.fusion.memory.refinement.weight.mul_(100)  # harmful
        batch = linear_batch(NAMES, samples=30)
        encoded = [Encoded(method.model.encode(batch), batch.present, batch.labels)]
        method.calibrate(encoded)
        assert float(method.model.fusion.memory.strength) == 1
        fitted = alive(make_method("equilibrium", method.model))
        fitted.calibrate(encoded)
    assert float(method.model.fusion.memory.strength) < 1


@pytest.mark.parametrize("name", ["equilibrium", "paper"])
def test_order_and_inherited_state_are_those_of_the_best_epoch(splits, tmp_path, monkeypatch, name):
    states = []
    end = Equilibrium.on_epoch_end

    def recording(self, result):
        states.append(self.fusion.memory.inherited_h.clone())
        end(self, result)

    monkeypatch.setattr(Equilibrium, "on_epoch_end", recording)
    training = {
        "epochs": 6,
        "learning_rate": 0.1,
        "schedule": "constant",
    }  # it errs about, so that the last is not best
    run = fit(
        make_model(splits),
        splits,
        f"{name}:order=random",
        out=tmp_path / "run",
        reference=False,
        quiet=True,
        measure={"bootstrap": 0},
        seed=1,
        **training,
    )
    orders, best = [tuple(line["order"]) for line in run.history], run.best_epoch - 1
    assert orders[best] != orders[-1] and not torch.equal(states[best], states[-1])
    for model in (run.model, load(tmp_path / "run").model):
        fusion: Any = model.fusion
        assert fusion.order == orders[best]
        assert torch.equal(fusion.memory.inherited_h, states[best]) and states[best].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion_step": {"enabled": False}}, "nothing would train the memory"),
        ({"mapping": {"alignment": 0.1}}, "mapping.alignment needs memory.in_steps: true"),
        (
            {"unimodal_weight": 0, "memory": {"enabled": False}, "fusion_step": {"enabled": False}},
            "nothing would be trained",
        ),
        ({"unimodal_weight": 0, "fusion_step": {"trains": "head"}}, "nothing would train the encoders"),
        ({"mapping": {"tau": 0}}, "tau"),
        ({"memory": {"dropuot": 0.1}}, "dropuot"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        parse_method({"name": "equilibrium", **options}, names=names.NAMES)


def test_an_order_that_is_not_one_is_refused():
    with pytest.raises(ConfigError, match="expected some order of a, b, c; got a, b"):
        make_method("equilibrium", order=["a", "b"])
