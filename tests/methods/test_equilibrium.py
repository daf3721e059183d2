"""The updates of the method, held against plain PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from equimodal.methods.equilibrium import EXPLORED, mixed, random_coalition
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded
from synthetic import CLASSES, linear_batch, linear_model

from .plain import (
    NAMES,
    ORDER,
    Plain,
    alive,
    assert_same,
    encode,
    for_any_batch,
    inherited,
    make_method,
    make_updater,
    mean_loss,
    method_and_batch,
    read,
    run_updates,
    twin,
)

PLAIN: dict[str, Any] = {"memory": {"dropout": 0.0, "coalitions": 0.0}}


def plain_correction(model, batch, z, order=ORDER):
    """V of the mean of u over all but the first modality of a row, by hand."""
    part, state, previous = model.fusion.correction, inherited(model, batch), None
    seen: Any = None
    total, count, carried = torch.zeros(len(batch), model.fusion.hidden), torch.zeros(len(batch), 1), 0
    products, factors = 0, []
    for m in order:
        here = batch.present[m]
        later = torch.zeros(len(batch), 1) if seen is None else (here & seen)[:, None].float()
        state, previous, seen, _, aligned = read(model, m, z[m], here, state, previous, seen)
        carried = carried + aligned * here[:, None]
        factors.append(aligned * here[:, None] @ part.factors.weight.T)
        products = products + sum(factors[-1] * before for before in factors[:-1])
        linear = state[0] @ part.of_state.weight.T + part.of_state.bias + carried @ part.of_representations.weight.T
        linear = linear + products
        total = total + later * linear.clamp(min=0)
        count = count + later
    return total / count.clamp(min=1) @ part.output.weight.T


def plain_residual(model, batch, z):
    """CE(stop_gradient(pool) + correction), over rows with two modalities or more."""
    correction = plain_correction(model, batch, z)
    pool, head = model.fusion.pool, model.fusion.heads["shared"]
    logs = {m: head(z[m]).log_softmax(-1).detach() for m in NAMES}
    weight = {m: w * batch.present[m][:, None] for m, w in zip(NAMES, pool.weights, strict=True)}
    total = sum(weight.values())
    pooled = sum(weight[m] * logs[m] for m in NAMES) / total.clamp(min=1e-6) ** pool.exponent
    two = torch.stack([batch.present[m] for m in NAMES]).sum(0) > 1
    return mean_loss(pool.inverse_temperature * pooled + correction, batch, two)


def plain_batch(model, plain, batch, encoders=True, share=None):
    """One batch: the memory's step, then one for each modality, its encoder with the gradient that the memory left.

    Args:
        model: the classifier.
        plain: its optimiser.
        batch: the batch.
        encoders: whether the memory leaves a gradient at all.
        share: of an encoder's own gradient, the other one at its length; None: both as they are.
    """
    leaves = {m: encode(model, batch, m).detach().requires_grad_(encoders) for m in NAMES}
    plain.step(plain_residual(model, batch, leaves))
    for m in ORDER:
        left = leaves[m].grad
        z = encode(model, batch, m)
        loss = mean_loss(model.fusion.heads["shared"](z), batch, batch.present[m])
        if left is None or share == 1:
            plain.step(loss)
        elif share is None:
            plain.step(loss + (z * left).sum())
        else:  # the head's gradient as it is, the encoder's by the chain rule
            head = list(model.fusion.heads.parameters())
            *whole, own = torch.autograd.grad(loss, [*head, z], retain_graph=True)
            mix = share * own + (1 - share) * left * (own.pow(2).sum() / left.pow(2).sum()).sqrt()
            surrogate = (z * mix).sum()
            for p, g in zip(head, whole, strict=True):
                surrogate = surrogate + (p * g).sum()
            plain.step(surrogate)


def fit_by_hand(method):
    method.model.fusion.pool.set(torch.tensor([0.3, 1.1, 1.6]), torch.tensor(1.4), torch.tensor(0.6))
    method.model.fusion.strength.fill_(0.3)  # outside training only
    return method


@pytest.mark.parametrize("encoders", [True, False])
@pytest.mark.parametrize("sample", [False, True])
def test_the_memory_learns_what_is_left_over_then_each_modality_by_itself(sample, encoders):
    """Without balance, both gradients are added. Each encoder runs once a batch, before the first step."""
    memory, mapping = {**PLAIN["memory"], "encoders": encoders}, {"sample": sample, "tau": 0.1}
    method = fit_by_hand(alive(make_method("equilibrium", memory=memory, mapping=mapping, balance=False)))
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    calls = dict.fromkeys(NAMES, 0)
    for m in NAMES:
        method.model.encoders[m].register_forward_hook(lambda *_, m=m: calls.update({m: calls[m] + 1}))
    done = run_updates(method, data)
    for batch in data:
        plain_batch(model, plain, batch, encoders)
    assert_same(method.model, model, atol=1e-5)
    assert set(calls.values()) == {3}
    assert [update.modalities for update, _ in done] == [NAMES, ("b",), ("c",), ("a",)] * 3
    assert [list(update.losses) for update, _ in done[:4]] == [["residual"], ["b"], ["c"], ["a"]]
    assert [outcome.moved for _, outcome in done[:4]] == [(), ("b",), ("c",), ("a",)]  # no encoder in the memory's step


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("sample", [False, True])
def test_an_encoder_takes_a_mix_of_both_gradients_and_the_head_its_own(sample, share):
    method = fit_by_hand(alive(make_method("equilibrium", mapping={"sample": sample, "tau": 0.1}, **PLAIN)))
    assert method.unimodal_share == EXPLORED  # at first
    method.unimodal_share.fill_(share)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    run_updates(method, data)
    for batch in data:
        plain_batch(model, plain, batch, share=share)
    assert_same(method.model, model, atol=1e-5)


@given(share=st.floats(0, 1), scale=st.floats(1e-3, 1e3), seed=st.integers(0, 999))
def test_the_mix_of_gradients_forgets_how_long_the_second_is(share, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    own, residual = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    found = mixed(own, residual, share)
    assert torch.allclose(found, mixed(own, scale * residual, share))
    assert torch.allclose(mixed(scale * own, residual, share), scale * found)
    assert found.norm() <= own.norm() * (1 + 1e-9)
    assert torch.allclose(mixed(own, own, share), own) and torch.allclose(mixed(own, residual, 1.0), own)
    assert mixed(own, residual, 0.0).norm() == pytest.approx(float(own.norm()))


def test_the_losses_shown_are_those_without_the_memorys_gradient():
    method = alive(make_method("equilibrium", **PLAIN))
    batch = linear_batch(NAMES, samples=12)
    decision = method.model.fusion.heads["shared"](encode(method.model, batch, "b"))
    expected = mean_loss(decision, batch, batch.present["b"]).item()
    (_, _), (_, outcome), *_ = run_updates(method, [batch])
    assert outcome.losses == {"b": pytest.approx(expected, abs=1e-6)}


def test_the_memorys_step_moves_memory_and_maps_and_nothing_else():
    method = alive(make_method("equilibrium", memory={"coalitions": 0.0}))
    model, _ = twin(method)
    batch = linear_batch(NAMES, samples=12, probability=1.1)
    make_updater(method).apply(next(method.updates(batch)))
    assert_same(method.model.encoders, model.encoders, atol=0)
    assert_same(method.model.fusion.heads, model.fusion.heads, atol=0)
    before, parts = dict(model.fusion.named_parameters()), set()
    for name, parameter in method.model.fusion.named_parameters():
        part = name.split(".")[0]
        if part != "heads":
            assert not torch.equal(parameter, before[name]), name
            parts.add(part)
    assert parts == {"memory", "correction", "mapping"}


def test_no_gradient_of_a_modalitys_step_reaches_memory_maps_or_another_modality():
    method = alive(make_method("equilibrium", **PLAIN))
    model = method.model
    updater = make_updater(method)
    updates = method.updates(linear_batch(NAMES, samples=12, probability=1.1))
    outcome = updater.apply(next(updates))
    for name in ORDER:
        update = updates.send(outcome)
        ((total, _),) = update.losses.values()
        names, parameters = zip(*model.named_parameters(), strict=True)
        grads = torch.autograd.grad(total, parameters, allow_unused=True, retain_graph=True)
        reached = {key for key, grad in zip(names, grads, strict=True) if grad is not None and grad.abs().sum() > 0}
        own = {f"encoders.{name}.{part}" for part in ("weight", "bias")}
        assert reached == own | {f"_fusion.heads.shared.{part}" for part in ("weight", "bias")}
        outcome = updater.apply(update)


@pytest.mark.parametrize("names", [("a", "b"), NAMES])
def test_where_its_gradient_stops_encoders_and_head_learn_as_in_alternating_training(names):
    """To the bit, with clipping, with dropout in the memory and random coalitions."""
    _learns_as_alternating(names, memory={"encoders": False})


@pytest.mark.parametrize("names", [("a", "b"), NAMES])
def test_unexplored_and_with_a_memory_that_gains_nothing_encoders_and_head_learn_as_in_alternating_training(names):
    """To the bit: the share of a modality's own gradient stays at one."""
    method = _learns_as_alternating(names, explore=0.0)
    method.model.eval()
    with torch.no_grad():
        method.model.fusion.correction.output.weight.zero_()
    batch = linear_batch(names, samples=30)
    with torch.no_grad():
        method.calibrate([Encoded(method.model.encode(batch), batch.present, batch.labels)])
    assert method.unimodal_share == 1


def _learns_as_alternating(names, **options):
    method = make_method("equilibrium", linear_model(names), **options)
    alternating = make_method("alternating", linear_model(names))
    alternating.model.encoders.load_state_dict(method.model.encoders.state_dict())
    alternating.model.fusion.heads.load_state_dict(method.model.fusion.heads.state_dict())
    method.passes()
    before = {name: p.clone() for name, p in method.model.fusion.memory.named_parameters()}
    data = [linear_batch(names, samples=12) for _ in range(3)]
    for one in (method, alternating):
        run_updates(one, data)
    assert_same(method.model.encoders, alternating.model.encoders, atol=0)
    assert_same(method.model.fusion.heads, alternating.model.fusion.heads, atol=0)
    for name, parameter in method.model.fusion.memory.named_parameters():
        assert not torch.equal(parameter, before[name])
    return method


@pytest.mark.parametrize("pool", ["equal", "fitted"])
def test_without_memory_it_is_plain_alternating(pool):
    method = make_method("equilibrium", memory={"enabled": False}, pool=pool)
    method.passes()
    alternating = make_method("alternating", linear_model(NAMES), pool=pool)
    alternating.model.load_state_dict(method.model.state_dict(), strict=False)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    run_updates(alternating, data)
    assert [list(update.losses) for update, _ in done] == [[m] for m in NAMES] * 3
    assert_same(method.model.encoders, alternating.model.encoders, atol=0)
    assert_same(method.model.fusion.heads, alternating.model.fusion.heads, atol=0)
    batch = linear_batch(NAMES)
    assert torch.equal(method.model.eval()(batch), alternating.model.eval()(batch))


def test_a_modality_alone_is_answered_by_its_own_head():
    method = alive(make_method("equilibrium", **PLAIN))
    run_updates(method, [linear_batch(NAMES, samples=12) for _ in range(3)])
    model = method.model.eval()
    batch = linear_batch(NAMES, probability=1.1)
    for m in NAMES:
        answer = model(model.complete(batch.restrict((m,))))
        expected = model.fusion.heads["shared"](encode(model, batch, m))
        assert torch.allclose(answer.log_softmax(-1), expected.log_softmax(-1), atol=1e-6)


def test_rows_of_one_modality_leave_nothing_to_correct():
    method = alive(make_method("equilibrium", **PLAIN))
    model, _ = twin(method)
    batch = linear_batch(NAMES, probability=1.1).restrict(("c",))
    done = run_updates(method, [batch])
    assert [outcome.stepped for _, outcome in done] == [False, False, True, False]
    assert [int(count) for update, _ in done for _, count in update.losses.values()] == [0, 0, 10, 0]
    assert_same(method.model.fusion.memory, model.fusion.memory, atol=0)
    assert_same(method.model.fusion.mapping, model.fusion.mapping, atol=0)


def shared_model():
    """Two modalities with one encoder, a third with its own."""
    one = nn.Linear(4, 6)
    return Classifier({"b": one, "a": one, "c": nn.Linear(4, 6)}, CLASSES, width=6)


def test_an_encoder_that_two_modalities_share_is_stepped_for_each():
    """It has moved by the time of the second one's step: that encodes anew, and takes the gradient left before."""
    method = alive(make_method("equilibrium", shared_model(), **PLAIN), ORDER)
    model, _ = twin(method)
    plain = Plain(model.encoders["c"], model.encoders["a"], model.fusion)
    data = [linear_batch(NAMES, samples=12) for _ in range(2)]
    done = run_updates(method, data)
    assert model.modalities == ("b", "a", "c") and model.encoders["a"] is model.encoders["b"]
    model.fusion.pool.weights.fill_(1)
    for batch in data:
        plain_batch(model, plain, batch, share=EXPLORED)
    assert_same(method.model, model, atol=1e-5)
    assert all(outcome.stepped for _, outcome in done) and len(done) == 8


CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "every coalition": {"memory": {"coalitions": 1.0}, "mapping": {"sample": True, "tau": 0.05}},
    "no gradient into the encoders": {"memory": {"encoders": False}},
    "no memory": {"memory": {"enabled": False}},
    "by epoch": {"alternation": "epoch"},
}


def signature(method, batch, seed):
    """What is updated, in which order, under which names, for one batch; seeded for each pass, as the loop does."""
    found = []
    for visit, visiting in enumerate(method.passes()):
        torch.manual_seed(seed + visit)
        method.visiting = visiting
        found += [(u, tuple(u.losses), o.stepped) for u, o in run_updates(method, [batch])]
    return found


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
@for_any_batch
def test_updates_never_depend_on_what_a_batch_holds(options, seed, samples, probability, without):
    method, some = method_and_batch("equilibrium", options, seed, samples, probability, without)
    full = linear_batch(NAMES, samples=12, probability=1.1)
    expected, found = signature(method, full, seed), signature(method, some, seed)
    assert [(u.modalities, names) for u, names, _ in found] == [(u.modalities, names) for u, names, _ in expected]
    assert all(stepped for *_, stepped in expected)
    for update, names, stepped in found:  # nothing to learn from: no step
        there = torch.stack([some.present[m] for m in update.modalities]).sum(0)
        assert stepped == bool((there >= (2 if names == ("residual",) else 1)).any())


def test_the_memory_meets_every_coalition_of_two_or_more_as_often_as_asked():
    method = make_method("equilibrium", memory={"coalitions": 0.5})
    batch = linear_batch(NAMES, samples=2, probability=1.1)
    method.visiting = method.passes()[0]
    seen = [next(method.updates(batch)).modalities for _ in range(1500)]
    share = {coalition: seen.count(coalition) / len(seen) for coalition in set(seen)}
    assert set(share) == {chosen for k in (2, 3) for chosen in itertools.combinations(NAMES, k)}
    for coalition, found in share.items():
        expected = 0.5 / 4 + (0.5 if coalition == NAMES else 0)
        assert found == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / len(seen)))
    assert {random_coalition(("x", "y")) for _ in range(50)} == {("x", "y")} and random_coalition(("x",)) == ("x",)
    never = make_method("equilibrium", memory={"coalitions": 0.0})
    never.visiting = never.passes()[0]
    assert {next(never.updates(batch)).modalities for _ in range(50)} == {NAMES}


def test_outside_a_random_coalition_the_memory_asks_nothing_of_a_modality():
    """Its map does not move, and its encoder learns from its own loss alone."""
    method = alive(make_method("equilibrium", memory={"coalitions": 1.0, "dropout": 0.0}))
    seen = set()
    for _ in range(12):
        model, _ = twin(method)
        batch = linear_batch(NAMES, samples=12, probability=1.1)
        (update, _), *_ = run_updates(method, [batch])
        seen.add(update.modalities)
        for m in NAMES:
            moved = not torch.equal(method.model.fusion.mapping.maps[m].weight, model.fusion.mapping.maps[m].weight)
            assert moved == (m in update.modalities)
            same = encoder_after_its_own_loss(model, batch, m)
            assert torch.equal(same, method.model.encoders[m].weight) <= (m not in update.modalities)
    assert len(seen) > 1


def encoder_after_its_own_loss(model, batch, m):
    """The encoder's weight after plain alternating steps up to its own."""
    plain = Plain(model)
    for name in ORDER[: ORDER.index(m) + 1]:
        plain.step(mean_loss(model.fusion.heads["shared"](encode(model, batch, name)), batch, batch.present[name]))
    return model.encoders[m].weight


def test_alternation_by_epoch_visits_one_modality_a_pass():
    """The memory reads all of them in each pass; only the one that is visited takes its gradient."""
    method = alive(make_method("equilibrium", alternation="epoch", **PLAIN))
    assert method.passes() == [("b",), ("c",), ("a",)]
    updater = make_updater(method)
    batch = linear_batch(NAMES, samples=12)
    for visiting in method.passes():
        model, _ = twin(method)
        method.visiting = visiting
        done = run_updates(method, [batch], updater)
        assert [update.modalities for update, _ in done] == [NAMES, visiting]
        for m in NAMES:
            changed = not torch.equal(method.model.encoders[m].weight, model.encoders[m].weight)
            assert changed == (m in visiting)


def test_by_epoch_the_visited_encoder_takes_the_memorys_gradient():
    method = alive(make_method("equilibrium", alternation="epoch", balance=False, **PLAIN))
    model, _ = twin(method)
    plain = Plain(model)
    batch = linear_batch(NAMES, samples=12)
    method.visiting = ("c",)
    run_updates(method, [batch])
    leaves = {m: encode(model, batch, m).detach().requires_grad_(m == "c") for m in NAMES}
    plain.step(plain_residual(model, batch, leaves))
    z = encode(model, batch, "c")
    loss = mean_loss(model.fusion.heads["shared"](z), batch, batch.present["c"])
    plain.step(loss + (z * leaves["c"].grad).sum())
    assert_same(method.model, model, atol=1e-5)
