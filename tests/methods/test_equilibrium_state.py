"""What methods with a schedule and a memory keep from epoch to epoch, and which options they refuse."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from equimodal.config.run import parse_method
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS, EpochResult
from equimodal.models.calibration import fit_pool
from equimodal.models.encoded import Encoded
from equimodal.training import names
from equimodal.training.fit import fit
from equimodal.training.run import load
from synthetic import linear_batch, make_model

from .contributions import additive
from .plain import alive, encode, final_states, make_method, make_updater, run_updates

NAMES = ("a", "b", "c")
BOTH = ["equilibrium", "paper"]
FOUND = {"a": 0.5, "b": 0.1, "c": 0.3}


@pytest.mark.parametrize("name", BOTH)
def test_the_order_of_the_coming_epoch_is_what_the_probe_found(name):
    method = make_method(name, freeze=0.0)
    assert method.passes() == [NAMES] and method.order == NAMES
    method.on_epoch_end(EpochResult(0, additive(FOUND)))
    assert method.order == NAMES  # validation, probe and checkpoint keep the order that was trained
    assert method.passes() == [("b", "c", "a")]
    assert method.order == method.model.fusion.order == ("b", "c", "a")
    fixed = make_method(name, freeze=0.0, order=["c", "a", "b"])
    fixed.on_epoch_end(EpochResult(0, additive(FOUND)))
    assert fixed.passes() == [("c", "a", "b")]
    first = make_method(name, initial=["c", "a", "b"])
    assert first.passes() == [("c", "a", "b")]


@pytest.mark.parametrize(("freeze", "changes"), [(0.0, 9), (0.5, 5), (0.25, 7), (1.0, 0)])
def test_the_order_settles_in_the_last_part_of_training(freeze, changes):
    """Ten epochs with alternating findings; the order of an epoch is measured after the one before."""
    method = make_method("equilibrium", freeze=freeze, hysteresis=0.0)
    method.epochs = 10
    orders = []
    for epoch in range(10):
        method.epoch = epoch
        orders.append(method.passes()[0])
        phi = {"a": 0.1, "b": 0.2, "c": 0.3} if epoch % 2 else {"a": 0.3, "b": 0.2, "c": 0.1}
        method.on_epoch_end(EpochResult(epoch, additive(phi)))
    assert sum(one != other for one, other in pairwise(orders)) == changes
    assert len(set(orders[changes:])) == 1


@pytest.mark.parametrize("name", BOTH)
def test_the_methods_state_is_saved_with_it(name):
    options = {"smoothing": 0.5, "freeze": 0.0}
    method = alive(make_method(name, **options))
    run_updates(method, [linear_batch(NAMES)])
    method.on_epoch_end(EpochResult(0, additive(FOUND)))
    again = make_method(name, **options)
    again.load_state_dict(method.state_dict())
    again.model.load_state_dict(method.model.state_dict())
    for one in (method, again):
        one.on_epoch_trained()
        one.on_epoch_end(EpochResult(1, additive({"a": 0.1, "b": 0.5, "c": 0.3})))
    assert again.passes() == method.passes()
    assert torch.equal(again.model.fusion.memory.inherited_h, method.model.fusion.memory.inherited_h)
    assert not any(key.startswith("model") for key in method.state_dict())


@pytest.mark.parametrize("name", BOTH)
def test_the_next_epoch_starts_from_the_mean_final_state(name):
    """With a rate of 0 the batches' states can be computed afterwards."""
    method = alive(make_method(name, memory={"dropout": 0.0}))
    memory = method.model.fusion.memory
    updater = make_updater(method)
    for group in updater.optimiser.param_groups:
        group["lr"] = 0.0
    for _ in range(2):  # the second epoch counts afresh
        data = [linear_batch(NAMES, samples=samples, probability=0.5) for samples in (12, 12, 5)]
        before = memory.inherited_h.clone()
        torch.manual_seed(5)
        run_updates(method, data, updater)
        assert torch.equal(memory.inherited_h, before)  # within an epoch it stands still
        torch.manual_seed(5)
        shown = [coalition_shown(method, batch) for batch in data]
        encodings = [({m: encode(method.model, one, m) for m in NAMES}, one.present) for one in shown]
        with torch.no_grad():
            expected = final_states(method.model.fusion, encodings)
        method.on_epoch_trained()
        assert torch.allclose(memory.inherited_h.double(), expected[0], atol=1e-6)
        assert torch.allclose(memory.inherited_c.double(), expected[1], atol=1e-6)
        assert not torch.allclose(memory.inherited_h, before)


def coalition_shown(method, batch):
    """The batch as the memory met it: a random coalition now and then."""
    return batch.restrict(method._coalition()) if hasattr(method, "_coalition") else batch


@pytest.mark.parametrize("name", BOTH)
def test_nothing_is_inherited_where_that_is_turned_off(name):
    method = make_method(name, memory={"inherit": "none"})
    method.visiting = method.passes()[0]
    run_updates(method, [linear_batch(NAMES)])
    method.on_epoch_trained()
    assert not method.model.fusion.memory.inherited_h.any()
    assert not method.model.fusion.memory.inherited_c.any()


@pytest.mark.parametrize("name", BOTH)
def test_an_epoch_without_any_state_inherits_the_old_one(name):
    method = alive(make_method(name))
    before = method.model.fusion.memory.inherited_h.clone()
    run_updates(method, [linear_batch(NAMES, probability=-1)])
    method.on_epoch_trained()
    assert torch.equal(method.model.fusion.memory.inherited_h, before)


def encoded(model, samples=(12, 5)):
    batches = [linear_batch(NAMES, samples=number) for number in samples]
    with torch.no_grad():
        return [Encoded(model.encode(batch), batch.present, batch.labels) for batch in batches]


def test_pool_and_strength_are_fitted_after_an_epoch():
    method = alive(make_method("equilibrium")).eval()
    with torch.no_grad():
        method.model.fusion.correction.output.weight.mul_(100)  # harmful
    model, known = method.model.eval(), encoded(method.model.eval(), (60, 30))
    method.calibrate(known)
    pool = model.fusion.pool
    found = pool.weights.clone(), pool.inverse_temperature.clone(), model.fusion.strength.clone()
    assert found[2] < 0.2 and not torch.equal(found[0], torch.ones(3))
    pool.set(torch.ones(3), torch.ones(()), torch.ones(()))
    model.fusion.strength.fill_(1)
    fit_pool(model, known)
    assert torch.equal(pool.weights, found[0]) and torch.equal(model.fusion.strength, found[2])


def informative(method):
    """Validation rows where "a" tells the class, and "c" what the memory may add."""
    model = method.model.eval()
    labels = torch.arange(90) % 3
    here = {m: torch.ones(90, dtype=torch.bool) for m in NAMES}
    z = {m: torch.randn(90, 6) for m in NAMES}
    with torch.no_grad():
        model.fusion.heads["shared"].weight.copy_(torch.eye(3, 6))
        z["a"][:, :3] += 2 * torch.nn.functional.one_hot(labels, 3)
        z["c"][:, 3:] += 3 * torch.nn.functional.one_hot(labels, 3)
        model.fusion.mapping.maps["c"].weight.copy_(torch.eye(6))
    return Encoded(z, here, labels)


def teach(fusion, known):
    """Train the memory's last layer on what the pool leaves over: it starts from nothing and gains something."""
    output = fusion.correction.output
    torch.nn.init.zeros_(output.weight)
    optimizer = torch.optim.Adam(output.parameters(), lr=0.001)
    for _ in range(10):
        logits = fusion(known.encodings, known.present)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, known.labels).backward()
        optimizer.step()


def share_of_the_pool(model, known):
    """The pool's gain over the prior against four times the memory's, both squared, by losses of scikit-learn."""
    with torch.no_grad():
        table = {"whole": model.fusion(known.encodings, known.present)}
        with model.fusion.forgetting():
            table["pooled"] = model.fusion(known.encodings, known.present)
    losses = {key: log_loss(known.labels, one.double().softmax(-1), labels=range(3)) for key, one in table.items()}
    prior = -float(model.log_prior[known.labels].mean())
    gain, added = prior - losses["pooled"], losses["pooled"] - losses["whole"]
    assert gain > 0 < added
    return 1 / (1 + 16 * (added / gain) ** 2)


def test_the_balance_weighs_what_pool_and_memory_gain():
    method = alive(make_method("equilibrium", explore=0.0)).eval()
    known = informative(method)
    teach(method.model.fusion, known)
    assert method.unimodal_share == 1
    method.calibrate([known])
    assert float(method.unimodal_share) == pytest.approx(share_of_the_pool(method.model, known), abs=1e-4)
    assert "unimodal_share" in method.state_dict()


@pytest.mark.parametrize(("explore", "epochs"), [(0.5, 10), (1.0, 10), (0.3, 7)])
def test_exploration_fades_linearly_into_what_is_measured(explore, epochs):
    """Epochs are counted from 0; the share of an epoch is set after the one before."""
    method = alive(make_method("equilibrium", explore=explore)).eval()
    known = informative(method)
    teach(method.model.fusion, known)
    method.epochs = epochs
    assert float(method.unimodal_share) == 0.5
    for epoch in range(epochs):
        method.epoch = epoch
        method.calibrate([known])
        explored = np.interp(epoch + 1, [0, explore * epochs], [1, 0])
        measured = share_of_the_pool(method.model, known)
        assert 0.5 < measured < 0.99  # both parts of the rule count
        expected = explored * min(measured, 0.5) + (1 - explored) * measured
        assert float(method.unimodal_share) == pytest.approx(expected, abs=1e-4)
    assert explored == 0


@pytest.mark.parametrize("helps", [True, False])
def test_a_pool_that_gains_nothing_leaves_the_encoders_to_a_memory_that_does(helps):
    """As in an exclusive or: the modalities alone know nothing."""
    method = alive(make_method("equilibrium", explore=0.0, pool="equal")).eval()
    known = informative(method)
    with torch.no_grad():
        method.model.fusion.heads["shared"].weight.zero_()
        method.model.fusion.heads["shared"].bias.copy_(method.model.log_prior)
    right = 2 * torch.nn.functional.one_hot(known.labels, 3).float()
    added: Any = lambda encodings, present: (right if helps else -right, None)  # noqa: E731
    method.model.fusion.added = added
    method.calibrate([known])
    assert float(method.unimodal_share) == (0 if helps else 1)


def test_without_balance_nothing_is_measured():
    method = alive(make_method("equilibrium", balance=False)).eval()
    method.calibrate([informative(method)])
    assert method.unimodal_share == 1


def test_an_equal_pool_is_not_fitted_nor_the_strength():
    method = alive(make_method("equilibrium", pool="equal")).eval()
    method.calibrate(encoded(method.model.eval()))
    assert method.model.fusion.trust() is None and float(method.model.fusion.strength) == 1


@pytest.mark.parametrize("name", BOTH)
def test_order_and_inherited_state_are_those_of_the_best_epoch(splits, tmp_path, monkeypatch, name):
    states = []
    cls: Any = METHODS.get(name)
    end = cls.on_epoch_end

    def recording(self, result):
        states.append(self.fusion.memory.inherited_h.clone())
        end(self, result)

    monkeypatch.setattr(cls, "on_epoch_end", recording)
    training = {
        "epochs": 6,
        "learning_rate": 0.1,
        "schedule": "constant",
    }  # it errs about, so that the last is not best
    run = fit(
        make_model(splits),
        splits,
        f"{name}:order=random,freeze=0",
        out=tmp_path / "run",
        reference=False,
        quiet=True,
        measure={"bootstrap": 0},
        seed=7,
        **training,
    )
    orders, best = [tuple(line["order"]) for line in run.history], run.best_epoch - 1
    assert orders[best] != orders[-1] and not torch.equal(states[best], states[-1])
    for model in (run.model, load(tmp_path / "run").model):
        fusion: Any = model.fusion
        assert fusion.order == orders[best] and fusion.trust() == run.model.fusion.trust()
        assert torch.equal(fusion.memory.inherited_h, states[best]) and states[best].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion_step": {"enabled": False}}, "fusion_step"),
        ({"mapping": {"alignment": 0.1}}, "alignment"),
        ({"memory": {"coalitions": 1.5}}, "coalitions"),
        ({"pool": "entropy"}, "pool"),
        ({"freeze": -0.1}, "freeze"),
        ({"explore": 1.5}, "explore"),
        ({"balance": 0.5}, "balance"),
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
