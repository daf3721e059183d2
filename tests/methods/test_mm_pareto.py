from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import nn

from equimodal.errors import Interrupted
from equimodal.methods.mm_pareto import integrate as integrate_tensors
from equimodal.models.classifier import Classifier
from synthetic import CLASSES, linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import (
    TRAINING,
    Plain,
    anything,
    assert_same,
    encode,
    make_method,
    make_updater,
    mean_loss,
    run_updates,
    twin,
)

NAMES = ("a", "b", "c")
VECTORS = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=6)


def integrate(j, u, gamma):
    """An encoder of two tensors: how its gradients are cut up must not matter."""
    middle = len(j) // 2
    return torch.cat(integrate_tensors([j[:middle], j[middle:]], [u[:middle], u[middle:]], gamma))


def integrated_by_hand(j, u, gamma):
    """The definition, with the min-norm point found by search."""
    if np.dot(j, u) >= 0:
        return gamma * (j + u)
    found: Any = minimize_scalar(
        lambda a: np.sum((a * j + (1 - a) * u) ** 2), bounds=(0, 1), method="bounded", options={"xatol": 1e-10}
    )
    d = 2 * (found.x * j + (1 - found.x) * u)
    return gamma * d * max(1.0, np.linalg.norm(j + u) / np.linalg.norm(d))


def summed(model, batch):
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    z = sum(encode(model, batch, m) for m in NAMES) * (len(NAMES) / n).unsqueeze(1)
    return model.fusion.head(z)


def plain_step(plain, model, heads, batch, gamma):
    """One step, from separate backward passes; returns in how many encoders the gradients are in conflict."""
    fused = mean_loss(summed(model, batch), batch, anything(batch))
    plain.optimiser.zero_grad(set_to_none=True)
    fused.backward()
    conflicts = 0
    for m in NAMES:
        if not batch.present[m].any():
            for p in model.encoders[m].parameters():
                p.grad = None
            continue
        encoder = list(model.encoders[m].parameters())
        loss = mean_loss(heads[m](encode(model, batch, m)), batch, batch.present[m])
        *own, weight, bias = torch.autograd.grad(loss, [*encoder, heads[m].weight, heads[m].bias])
        heads[m].weight.grad, heads[m].bias.grad = weight, bias
        j = np.concatenate([p.grad.double().numpy().ravel() for p in encoder])
        u = np.concatenate([g.double().numpy().ravel() for g in own])
        conflicts += j @ u < 0
        d = torch.from_numpy(integrated_by_hand(j, u, gamma)).float().split([p.numel() for p in encoder])
        for p, part in zip(encoder, d, strict=True):
            p.grad = part.view_as(p)
    nn.utils.clip_grad_norm_([p for p in plain.parameters if p.grad is not None], TRAINING.clip_norm or 0.0)
    plain.optimiser.step()
    return conflicts


@pytest.mark.parametrize("gamma", [1.0, 1.5])
def test_it_is_a_plain_step_with_each_encoders_gradients_integrated(gamma):
    """The trap: the gradients must really be in conflict, else the min-norm branch is never met."""
    method = make_method("mm_pareto", linear_model(NAMES, fusion="sum"), gamma=gamma)
    with torch.no_grad():  # "a" alone is read in the opposite sense of the fusion, "c" in the same
        method.heads["a"].weight.copy_(-method.model.fusion.head.weight)
        method.heads["c"].weight.copy_(method.model.fusion.head.weight)
    model, (heads,) = twin(method)
    plain = Plain(model, heads)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict(("a", "c")))
    done = run_updates(method, data)
    conflicts = [plain_step(plain, model, heads, batch, gamma) for batch in data]
    assert conflicts[0] >= 1 and sum(conflicts) < 14  # of 3 encoders in 4 batches, and 2 in the last
    assert_same(method.model, model, atol=1e-5)
    assert_same(method.heads, heads, atol=1e-5)
    assert all(list(update.losses) == ["fused", "a alone", "b alone", "c alone"] for update, _ in done)


def test_two_vectors_by_hand():
    j, u = torch.tensor([3.0, 0.0]), torch.tensor([-3.0, 4.0])
    # The foot of the perpendicular from 0 on the line from (3, 0) to (-3, 4) is (12, 18) / 13; the sum's length is 4.
    direction = torch.tensor([12.0, 18.0]) / math.hypot(12, 18)
    assert torch.allclose(integrate(j, u, 1.5), 1.5 * 4 * direction)


@settings(max_examples=300, deadline=None)
@given(pairs=VECTORS, gamma=st.floats(0.5, 3))
def test_both_losses_agree_with_the_direction_and_nothing_is_lost_in_length(pairs, gamma):
    j, u = torch.tensor(pairs, dtype=torch.float64).T
    d = integrate(j, u, gamma)
    assert torch.allclose(d, integrate(u, j, gamma), atol=1e-9)
    assume(float(j.norm()) > 0.01 and float(u.norm()) > 0.01 and float((j + u).norm()) > 0.01)
    assume(float(torch.nn.functional.cosine_similarity(j, u, dim=0)) > -0.999)
    assert float(d.norm()) == pytest.approx(gamma * float((j + u).norm()))
    assert float(d @ j) > 0 and float(d @ u) > 0
    assert np.allclose(d.numpy(), integrated_by_hand(j.numpy(), u.numpy(), gamma), atol=1e-5)


def test_where_they_cancel_or_are_missing_there_is_no_nan():
    j = torch.randn(1000)
    assert not integrate(j, -j, 1.5).any()
    assert not integrate(j, -3 * j, 1.5).any()  # all of the direction would be rounding error
    zero = torch.zeros(1000)
    assert torch.equal(integrate(j, zero, 1.5), 1.5 * j) and torch.equal(integrate(zero, j, 1.5), 1.5 * j)
    assert not integrate(zero, zero, 1.5).any()


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "late"])
def test_fusion_and_heads_take_their_own_losses_gradients_alone(fusion):
    method = make_method("mm_pareto", linear_model(NAMES, fusion=fusion), gamma=3.0)
    batch = linear_batch(NAMES, probability=1.1)
    (update,) = method.updates(batch)
    parameters = [*method.model.fusion.parameters(), *method.heads.parameters()]
    terms = {name: total / count for name, (total, count) in update.losses.items()}
    every = [*method.model.encoders.parameters(), *parameters]
    gradients = {}
    for name, term in terms.items():
        found = torch.autograd.grad(term, every, retain_graph=True, allow_unused=True)
        gradients[name] = {p: g for p, g in zip(every, found, strict=True) if g is not None}
    expected = torch.autograd.grad(torch.stack(list(terms.values())).sum(), parameters)
    assert update.combine is not None
    step = update.combine(gradients)
    assert all(torch.allclose(step[p], g) for p, g in zip(parameters, expected, strict=True))


def test_what_is_absent_from_a_batch_does_not_move():
    method = make_method("mm_pareto", linear_model(NAMES))
    updater = make_updater(method)
    run_updates(method, [linear_batch(NAMES) for _ in range(2)], updater)
    before = copy.deepcopy((method.model, method.heads))
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES).restrict(("a", "c"))], updater)
    assert outcome.stepped and set(outcome.losses) == {"fused", "a alone", "c alone"}
    assert all(p.isfinite().all() for p in method.model.parameters())
    assert_same(method.model.encoders["b"], before[0].encoders["b"], atol=0)
    assert_same(method.heads["b"], before[1]["b"], atol=0)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, probability=-1)], updater)
    assert not outcome.stepped


def test_a_shared_encoder_sets_the_sum_of_its_owners_against_the_fused_loss():
    one = nn.Linear(4, 6)
    model = Classifier({"a": one, "b": one}, CLASSES, width=6, fusion="sum")
    method = make_method("mm_pareto", model)
    batch = linear_batch(("a", "b"), probability=1.1)
    before = copy.deepcopy(one)
    j, u = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(one.parameters()), retain_graph=True)])
        for loss in (
            mean_loss(model(batch), batch, anything(batch)),
            torch.stack(
                [mean_loss(method.heads[m](one(batch.inputs[m])), batch, batch.present[m]) for m in ("a", "b")]
            ).sum(),
        )
    )
    updater = make_updater(method, TRAINING.model_copy(update={"clip_norm": None, "optimiser": "sgd"}))
    run_updates(method, [batch], updater)
    expected = torch.from_numpy(integrated_by_hand(j.double().numpy(), u.double().numpy(), 1.5)).float()
    weight, bias = expected.split([24, 6])
    rate, momentum, decay = 0.03, 1.9, 0.1  # Nesterov's first step is 1 + 0.9 times the gradient
    assert torch.allclose(
        one.weight, before.weight - rate * momentum * (weight.view(6, 4) + decay * before.weight), atol=1e-5
    )
    assert torch.allclose(one.bias, before.bias - rate * momentum * (bias + decay * before.bias), atol=1e-5)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_going_on_gives_the_same_bits(tiny, tmp_path, stop):
    fit_tiny(tiny, "mm_pareto", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "mm_pareto", tmp_path / "stopped")
    fit_tiny(tiny, "mm_pareto", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
