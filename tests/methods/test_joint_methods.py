"""Joint, uniform and modality dropout: one update a batch, held against plain PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.methods.modality_dropout import drop_modalities
from synthetic import linear_batch, linear_model

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def batches(count=4):
    return [linear_batch(NAMES, samples=12) for _ in range(count)]


def summed(model, batch):
    """Sum fusion by hand: it needs no statistics of what came before."""
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    z = sum(encode(model, batch, m) for m in NAMES) * (len(NAMES) / n).unsqueeze(1)
    return model.fusion.head(z)


def test_joint_is_one_plain_step_on_the_fused_loss():
    method = make_method("joint", linear_model(NAMES, fusion="sum"))
    model, _ = twin(method)
    plain = Plain(model)
    data = batches()
    done = run_updates(method, data)
    for batch in data:
        plain.step(mean_loss(summed(model, batch), batch, anything(batch)))
    assert [update.modalities for update, _ in done] == [NAMES] * 4
    assert_same(method.model, model)


def test_joint_by_concatenation_with_everything_present():
    method = make_method("joint")
    assert method.model.fusion_name == "concat"
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, probability=1.1) for _ in range(4)]
    run_updates(method, data)
    for batch in data:
        logits = model.fusion.head(torch.cat([encode(model, batch, m) for m in NAMES], dim=1))
        plain.step(mean_loss(logits, batch, anything(batch)))
    assert_same(method.model.encoders, model.encoders)
    assert_same(method.model.fusion.head, model.fusion.head)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_uniform_adds_a_loss_for_each_modality(weight):
    method = make_method("uniform", linear_model(NAMES, fusion="sum"), weight=weight)
    model, parts = twin(method)
    heads = parts[0]
    plain = Plain(model, heads)
    data = batches()
    run_updates(method, data)
    for batch in data:
        loss = mean_loss(summed(model, batch), batch, anything(batch))
        for m in NAMES:
            if batch.present[m].any():
                loss = loss + weight * mean_loss(heads[m](encode(model, batch, m)), batch, batch.present[m])
        plain.step(loss)
    assert_same(method.model, model)
    assert_same(method.heads, heads)


def test_uniform_with_a_modality_of_an_unlucky_name_loses_no_loss():
    names = ("fused", "b")
    method = make_method("uniform", linear_model(names, fusion="sum"))
    ((update, outcome),) = run_updates(method, [linear_batch(names, probability=1.1)])
    assert len(update.losses) == 3 and outcome.stepped


def test_modality_dropout_is_joint_training_on_what_was_kept():
    method = make_method("modality_dropout", linear_model(NAMES, fusion="sum"), p=0.4)
    model, _ = twin(method)
    plain = Plain(model)
    data = batches()
    updater = make_updater(method)
    for number, batch in enumerate(data):
        torch.manual_seed(number)
        run_updates(method, [batch], updater)
        torch.manual_seed(number)
        kept = drop_modalities(torch.stack([batch.present[m] for m in NAMES]), 0.4)
        less = type(batch)(batch.inputs, dict(zip(NAMES, kept, strict=True)), batch.labels, batch.ids)
        plain.step(mean_loss(summed(model, less), less, anything(less)))
    assert_same(method.model, model)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 5), p=st.floats(0, 0.99), density=st.floats(0, 1))
def test_dropping_keeps_one_of_those_present_and_invents_none(seed, n, p, density):
    torch.manual_seed(seed)
    present = torch.rand(n, 40) < density
    kept = drop_modalities(present, p)
    assert not (kept & ~present).any()
    assert torch.equal(kept.any(0), present.any(0))
    if p == 0:
        assert torch.equal(kept, present)


@pytest.mark.parametrize(("n", "p"), [(2, 0.2), (3, 0.5), (4, 0.9)])
def test_the_rate_is_the_one_asked_for(n, p):
    kept = drop_modalities(torch.ones(n, 40_000, dtype=torch.bool), p)
    hidden = 1 - kept.double().mean(1).numpy()
    # all hidden, p^n, is the case in which one of n comes back
    assert np.allclose(hidden, p - p**n / n, atol=4 * np.sqrt(p * (1 - p) / 40_000))


def test_modality_dropout_pairs_masks_by_name():
    """The masks of a batch may come in another order than its inputs."""
    batch = linear_batch(("a", "b", "c"), samples=40, probability=0.5)
    turned = replace(batch, present=dict(reversed(batch.present.items())))
    seen = []
    for each in (batch, turned):
        torch.manual_seed(0)
        method = make_method("modality_dropout", linear_model(("a", "b", "c")), p=0.4)
        method.model.fuse = lambda encodings, present: seen.append(present) or torch.zeros(40, 3)
        next(method.updates(each))
    for name in "abc":
        assert torch.equal(seen[0][name], seen[1][name])
        assert not (seen[0][name] & ~batch.present[name]).any()
