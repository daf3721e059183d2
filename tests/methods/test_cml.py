"""CML, held against a plain loop over samples."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import Interrupted
from equimodal.methods.cml import CMLConfig, confidence
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def late_logits(model, batch, b, members):
    """One sample's mean of the heads' logits over what it has of a coalition."""
    here = [m for m in members if batch.present[m][b]]
    return torch.stack([model.fusion.heads[m](encode(model, batch, m)[b]) for m in here]).mean(0)


def rises(model, batch, name):
    """How far each sample's confidence rises without a modality, where it has that and another."""
    found = []
    for b in range(len(batch)):
        here = [m for m in NAMES if batch.present[m][b]]
        if name in here and len(here) > 1:
            conf = [
                late_logits(model, batch, b, members).softmax(0).max()
                for members in (here, [m for m in here if m != name])
            ]
            found.append(torch.relu(conf[1] - conf[0]))
    return found


def test_one_plain_step_on_the_fused_loss_and_the_rises():
    method = make_method("cml", linear_model(NAMES, fusion="late"), weight=5.0)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    done = run_updates(method, data)
    for batch, (update, outcome) in zip(data, done, strict=True):
        rows = anything(batch)
        logits = torch.stack(
            [late_logits(model, batch, b, NAMES) if rows[b] else torch.zeros(3) for b in range(len(batch))]
        )
        loss = mean_loss(logits, batch, rows)
        for m in NAMES:
            rise = torch.stack(rises(model, batch, m)).mean()
            assert outcome.losses[f"without {m}"] == pytest.approx(5 * float(rise.detach()), abs=1e-5)
            loss = loss + 5 * rise
        plain.step(loss)
        assert update.modalities == NAMES
    assert_same(method.model, model, atol=1e-5)
    assert any(outcome.losses["without a"] > 0.01 for _, outcome in done)


def test_a_rise_by_hand():
    """Two heads that are sure of different classes, .8 each: their mean is sure of 8^.5 / (2 8^.5 + 1) only."""
    method = make_method("cml", linear_model(("a", "b"), fusion="late"), weight=1.0)
    with torch.no_grad():
        for i, name in enumerate(("a", "b")):
            method.model.fusion.heads[name].weight.zero_()
            method.model.fusion.heads[name].bias.copy_(math.log(8) * torch.eye(3)[i])
            # 8 / (8 + 1 + 1) = .8
    ((_, outcome),) = run_updates(method, [linear_batch(("a", "b"), probability=1.1)])
    expected = 0.8 - 8**0.5 / (2 * 8**0.5 + 1)
    assert outcome.losses["without a"] == outcome.losses["without b"] == pytest.approx(expected, abs=1e-6)


def test_confidence_that_falls_costs_nothing():
    method = make_method("cml", linear_model(("a", "b"), fusion="concat", fusion_options={"absent": "zeros"}))
    with torch.no_grad():
        for layer in method.model.encoders.values():
            layer.weight.zero_()
            layer.bias.fill_(1.0)
        method.model.fusion.head.weight.zero_()[0].fill_(1.0)  # every modality speaks for class 0
        method.model.fusion.head.bias.zero_()
    ((_, outcome),) = run_updates(method, [linear_batch(("a", "b"), probability=1.1)])
    assert outcome.losses["without a"] == outcome.losses["without b"] == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), weight=st.floats(0, 10), density=st.floats(0, 1))
def test_the_penalty_is_between_nothing_and_its_weight(seed, weight, density):
    torch.manual_seed(seed)
    method = make_method("cml", linear_model(NAMES, fusion="gated"), weight=weight)
    batch = linear_batch(NAMES, probability=density)
    update = next(method.updates(batch))
    assert list(update.losses) == ["fused", "without a", "without b", "without c"]  # whatever is in the batch
    several = torch.stack(list(batch.present.values())).sum(0) > 1
    for name in NAMES:
        total, count = update.losses[f"without {name}"]
        assert int(count) == int((several & batch.present[name]).sum())
        assert 0 <= float(total.detach()) <= weight * int(count) * (1 - 1 / 3) + 1e-5


def test_without_weight_it_is_joint_training():
    joint = make_method("joint", linear_model(NAMES, fusion="concat"))
    method = make_method("cml", linear_model(NAMES, fusion="concat"), weight=0.0)
    method.model.load_state_dict(joint.model.state_dict())
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    run_updates(joint, data)
    run_updates(method, data)
    assert_same(method.model, joint.model, atol=1e-5)  # the mean encodings of `concat` too: they are tracked once


def test_the_penalty_teaches_what_it_asks_for():
    torch.manual_seed(1)
    method = make_method("cml", linear_model(NAMES, fusion="late"), weight=20.0)
    batch = linear_batch(NAMES, samples=40, probability=1.1)
    done = run_updates(method, [batch] * 60)
    sums = [sum(outcome.losses[f"without {m}"] for m in NAMES) for _, outcome in (done[0], done[-1])]
    assert sums[1] < 0.7 * sums[0]


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "late"])
def test_absent_modalities_make_no_nan_and_take_no_step(fusion):
    method = make_method("cml", linear_model(NAMES, fusion=fusion))
    batch = linear_batch(NAMES, probability=1.1)
    before = method.model.encoders["b"].weight.clone()
    (_, two), (_, one) = run_updates(method, [batch.restrict(("a", "c")), batch.restrict(("a",))])
    assert set(two.losses) == {"fused", "without a", "without c"} and set(one.losses) == {"fused"}
    assert torch.equal(method.model.encoders["b"].weight, before)
    assert all(torch.isfinite(p).all() for p in method.model.parameters())
    ((_, nothing),) = run_updates(method, [batch.restrict(())])
    assert not nothing.stepped


def test_confidence_and_bounds():
    assert confidence(torch.zeros(2, 4, 5)).unique().tolist() == pytest.approx([0.2])
    with pytest.raises(ValueError, match="weight"):
        CMLConfig.model_validate({"weight": -1})


def test_going_on_after_a_stop_gives_the_same_bits(tiny, tmp_path):
    fit_tiny(tiny, "cml", tmp_path / "whole")
    with at_batch(3, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "cml", tmp_path / "stopped")
    fit_tiny(tiny, "cml", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
