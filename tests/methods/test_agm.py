"""AGM, held against permutations of the modalities and a surrogate loss in plain PyTorch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from equimodal.errors import ConfigError, Interrupted
from equimodal.methods.agm import AGMConfig, lead, modulation
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def batches(count=4):
    return [linear_batch(NAMES, samples=12) for _ in range(count)]


def summed(model, batch, members):
    """Sum fusion of a coalition by hand; the training prior where a sample has nothing of it."""
    here = {m: batch.present[m] if m in members else batch.present[m] & False for m in NAMES}
    count = torch.stack(list(here.values())).sum(0)
    z = torch.zeros(len(batch), model.width)
    for m in NAMES:
        if batch.present[m].any():  # no gradient, rather than one of zero, where it is wholly absent
            z = z + encode(model, batch, m) * here[m].unsqueeze(1)
    logits = model.fusion.head(z * (len(NAMES) / count.clamp(min=1)).unsqueeze(1))
    return torch.where((count > 0).unsqueeze(1), logits, model.log_prior)


def shapley_by_orders(model, batch):
    """The mean, over all orders of entering, of what a modality adds to the logits on entering."""
    parts = {m: torch.zeros(len(batch), 3) for m in NAMES}
    orders = list(itertools.permutations(NAMES))
    for order in orders:
        for i, m in enumerate(order):
            parts[m] = parts[m] + summed(model, batch, order[: i + 1]) - summed(model, batch, order[:i])
    return {m: part / len(orders) for m, part in parts.items()}


def losses_of(parts, batch):
    """Sum and count of the cross entropy of each part, over the samples that have the modality, by SciPy."""
    found = {}
    for m in NAMES:
        rows = batch.present[m].numpy()
        each = -log_softmax(parts[m].detach().double().numpy(), axis=1)[np.arange(len(batch)), batch.labels.numpy()]
        found[m] = (each[rows].sum(), int(rows.sum()))
    return found


def factors_by_hand(now, ever, alpha, kappa):
    """k of every modality by the formula, the mean over the others written out."""
    k = {}
    measured = [m for m in NAMES if now[m][1]]
    for m in NAMES:
        others = [j for j in measured if j != m]
        if m not in measured or not others:
            k[m] = 1.0
            continue
        r, tau = (math.exp(np.mean([s[j][0] / s[j][1] for j in others]) - s[m][0] / s[m][1]) for s in (now, ever))
        k[m] = math.exp(alpha * min(tau - r, kappa))
    return k


def test_each_step_scales_the_gradient_of_each_shapley_part():
    method = make_method("agm", linear_model(NAMES, fusion="sum"), alpha=3.0, kappa=0.05)
    model, _ = twin(method)
    plain = Plain(model)
    data = batches(5)
    data.insert(3, data[0].restrict(("a", "c")))
    data.insert(4, data[1].restrict(("b",)))
    ever = dict.fromkeys(NAMES, (0.0, 0))
    seen = []
    for batch in data:
        parts = shapley_by_orders(model, batch)
        now = losses_of(parts, batch)
        ever = {m: (ever[m][0] + now[m][0], ever[m][1] + now[m][1]) for m in NAMES}
        k = factors_by_hand(now, ever, alpha=3.0, kappa=0.05)
        seen.append(k)
        rows = anything(batch)
        fused = summed(model, batch, NAMES).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(mean_loss(fused, batch, rows), fused)
        plain.step(torch.stack([k[m] * (gradient * parts[m]).sum() for m in NAMES]).sum())
    done = run_updates(method, data)
    assert all(update.modalities == NAMES and outcome.stepped for update, outcome in done)
    assert_same(method.model, model, atol=1e-5)
    assert seen[0] == dict.fromkeys(NAMES, 1.0)  # the first batch is its own average
    assert seen[3]["b"] == 1.0 and seen[4] == dict.fromkeys(NAMES, 1.0)  # nobody to compare with
    assert any(abs(k["a"] - 1) > 0.05 for k in seen) and any(math.exp(3.0 * 0.05) in k.values() for k in seen)
    assert np.allclose((method._loss_sum / method._loss_count).numpy(), [ever[m][0] / ever[m][1] for m in NAMES])


def test_the_value_is_the_fused_loss_and_without_modulation_it_is_joint_training():
    joint = make_method("joint", linear_model(NAMES, fusion="sum"))
    method = make_method("agm", alpha=0.0, model=linear_model(NAMES, fusion="sum"))
    method.model.load_state_dict(joint.model.state_dict())
    data = batches()
    for (_, one), (_, other) in zip(run_updates(joint, data), run_updates(method, data), strict=True):
        assert float(one.losses["fused"]) == pytest.approx(float(other.losses["fused"]), abs=1e-6)
    assert_same(method.model, joint.model, atol=1e-5)


def test_the_empty_coalition_belongs_to_the_split():
    """With it the parts add up to what the fusion knows beyond the prior; without it they would not."""
    method = make_method("agm", linear_model(NAMES, fusion="concat"))
    model = method.model.eval()
    batch = linear_batch(NAMES, samples=30)
    with torch.no_grad():
        table = model.coalitions(model.encode(batch), batch.present, method.coalitions)
        parts = torch.tensordot(method.operator, table, dims=1)
        beyond_the_prior = model(batch) - model.log_prior
    assert torch.allclose(parts.sum(0), beyond_the_prior, atol=1e-5)
    absent = ~batch.present["b"]
    assert absent.any() and parts[1][absent].abs().max() < 1e-6  # an absent modality has no part in a sample


def test_who_is_ahead_is_held_back():
    """The sign: a low loss is a lead, and a lead above the usual one gives k < 1."""
    everyone = torch.tensor([True, True])
    ahead = modulation(torch.tensor([0.5, 1.0]), torch.tensor([0.75, 0.75]), everyone, alpha=1.0, kappa=7.0)
    assert ahead.tolist() == pytest.approx([math.exp(1 - math.exp(0.5)), math.exp(1 - math.exp(-0.5))])
    assert ahead[0] < 1 < ahead[1]
    three = modulation(
        torch.tensor([0.0, 0.6, 1.2]), torch.full((3,), 2.0), torch.tensor([True, True, True]), alpha=2.0, kappa=0.3
    )
    # leads e^.9, e^0, e^-.9; the last excess, 1 - e^-.9 = .593, is cut at kappa
    assert three.tolist() == pytest.approx([math.exp(2 * (1 - math.exp(0.9))), 1.0, math.exp(0.6)])


LOSSES = st.floats(0, 50)


@settings(max_examples=100, deadline=None)
@given(data=st.lists(st.tuples(LOSSES, LOSSES, st.booleans()), min_size=2, max_size=6), alpha=st.floats(0, 2))
def test_factors_are_bounded_symmetric_and_blind_to_a_common_shift(data, alpha):
    now, usual = (torch.tensor([row[i] for row in data], dtype=torch.float64) for i in (0, 1))
    measured = torch.tensor([row[2] for row in data])
    k = modulation(now, usual, measured, alpha, 3.0)
    assert (k >= 0).all() and (k <= math.exp(alpha * 3.0) + 1e-9).all()
    assert (k[~measured] == 1).all()
    assert torch.allclose(modulation(now.flip(0), usual.flip(0), measured.flip(0), alpha, 3.0), k.flip(0))
    assert torch.equal(modulation(now, now, measured, alpha, 3.0), torch.ones(len(data), dtype=torch.float64))
    shifted = modulation(now + 1, usual, measured, alpha, 3.0)
    assert torch.allclose(lead(now + 1).log(), lead(now).log(), atol=1e-9) and torch.allclose(shifted, k, atol=1e-6)
    worse = now.clone()
    worse[0] += 0.5
    assert modulation(worse, usual, measured, alpha, 3.0)[0] >= k[0]  # who falls behind is pushed, never held back


def test_losses_far_apart_stay_finite():
    k = modulation(torch.tensor([0.0, 5000.0]), torch.tensor([0.0, 9000.0]), torch.tensor([True, True]), 1.0, 7.0)
    assert torch.isfinite(k).all()


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "late"])
def test_a_modality_absent_from_a_batch_takes_no_step_and_makes_no_nan(fusion):
    method = make_method("agm", linear_model(NAMES, fusion=fusion))
    batch = linear_batch(NAMES, probability=1.1)
    before = method.model.encoders["b"].weight.clone()
    (_, first), (_, second) = run_updates(method, [batch.restrict(("a", "c")), batch.restrict(("a",))])
    assert first.stepped and second.stepped
    assert torch.equal(method.model.encoders["b"].weight, before)
    assert all(torch.isfinite(p).all() for p in method.model.parameters())
    ((_, nothing),) = run_updates(method, [batch.restrict(())])
    assert not nothing.stepped and not nothing.losses


def test_too_many_modalities_are_refused_by_name():
    names = [f"m{i}" for i in range(11)]
    with pytest.raises(ConfigError, match=r"'agm' evaluates all 2\*\*n coalitions.*at most 10 modalities, got 11 \(m0"):
        make_method("agm", linear_model(names))
    assert len(make_method("agm", linear_model(names[:10])).coalitions) == 1024


def test_options_have_bounds():
    for wrong in ({"alpha": -1}, {"kappa": -1}, {"kappa": "x"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AGMConfig.model_validate(wrong)


def test_going_on_after_a_stop_gives_the_same_bits(tiny, tmp_path):
    fit_tiny(tiny, "agm:alpha=1.5", tmp_path / "whole")
    with at_batch(3, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "agm:alpha=1.5", tmp_path / "stopped")
    fit_tiny(tiny, "agm:alpha=1.5", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
