"""On-the-fly Prediction Modulation: who is dropped, how often, and the step on what is left."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.batch import Batch
from equimodal.errors import Interrupted
from equimodal.methods.opm import discrepancies, drop_probabilities
from synthetic import linear_batch, linear_model, make_splits
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")
TINY = make_splits(80)


def summed(model, batch, present):
    """Sum fusion by hand."""
    n = torch.stack(list(present.values())).sum(0).clamp(min=1)
    z = sum(encode(model, batch, m) * present[m].unsqueeze(1) for m in NAMES)
    return model.fusion.head(z * (len(NAMES) / n).unsqueeze(1))


def scores_by_hand(model, batch):
    """The mean probability of the true class by each modality alone, over the rows that have it."""
    found = {}
    for m in NAMES:
        rows = batch.present[m]
        p = model.fusion.head(3.0 * encode(model, batch, m)).softmax(1)[torch.arange(len(batch)), batch.labels]
        found[m] = float(p[rows].mean().detach())
    return found


def test_each_batch_is_a_step_on_what_the_batch_before_left_in():
    method = make_method("opm", linear_model(NAMES, fusion="sum"), base=0.6, strength=0.4)
    model, _ = twin(method)
    plain, updater = Plain(model), make_updater(method)
    q, dropped = dict.fromkeys(NAMES, 0.0), 0
    for number in range(5):
        batch = linear_batch(NAMES, samples=40)
        torch.manual_seed(number)
        run_updates(method, [batch], updater)
        torch.manual_seed(number)
        draw = torch.rand(3, 40)
        kept = {m: batch.present[m] & (draw[i] >= q[m]) for i, m in enumerate(NAMES)}
        lost_all = ~torch.stack(list(kept.values())).any(0)
        kept = {m: torch.where(lost_all, batch.present[m], kept[m]) for m in NAMES}
        dropped += sum(int((batch.present[m] & ~kept[m]).sum()) for m in NAMES)
        s = scores_by_hand(model, batch)
        plain.step(mean_loss(summed(model, batch, kept), batch, anything(batch)))
        for m in NAMES:
            rho = sum(s[m] / s[j] for j in NAMES if j != m) / 2
            q[m] = 0.6 * (1 + 0.4 * math.tanh(rho - 1)) if rho > 1 else 0.0
        assert method.probabilities.tolist() == pytest.approx(list(q.values()), abs=1e-5)
    assert dropped > 10
    assert_same(method.model, model)


def test_two_modalities_by_hand():
    present = torch.tensor([[True, True, True], [True, False, True]])
    rho = discrepancies(torch.tensor([[0.9, 0.6, 0.3], [0.1, 0.99, 0.3]]), present)  # means .6 and .2
    assert rho.tolist() == pytest.approx([3.0, 1 / 3])
    q = drop_probabilities(rho, base=0.5, strength=0.5)
    assert q.tolist() == pytest.approx([0.5 * (1 + 0.5 * 0.9640276), 0.0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 5), base=st.floats(0, 1), strength=st.floats(0, 2))
def test_the_weakest_is_never_dropped_and_who_is_further_ahead_is_dropped_more(seed, n, base, strength):
    torch.manual_seed(seed)
    scores = torch.rand(n, 20) * 0.9 + 0.05
    rho = discrepancies(scores, torch.ones(n, 20, dtype=torch.bool))
    q = drop_probabilities(rho, base, strength)
    order = scores.mean(1).argsort()
    assert q[order[0]] == 0 and rho[order[0]] <= 1
    assert (q[order].diff() >= 0).all() and q.max() <= min(1, base * (1 + strength)) + 1e-6


def test_a_modality_that_a_batch_lacks_keeps_its_probability_and_does_not_move():
    method = make_method("opm")
    method.probabilities.copy_(torch.tensor([0.4, 0.3, 0.7]))
    before = copy.deepcopy(method.model.encoders)
    batch = linear_batch(NAMES, probability=1.1).restrict(("a", "b"))
    run_updates(method, [batch])
    assert method.probabilities[2] == pytest.approx(0.7) and method.probabilities.isfinite().all()
    assert (method.probabilities[:2] != torch.tensor([0.4, 0.3])).any()
    assert_same(method.model.encoders["c"], before["c"], atol=0)
    only = linear_batch(NAMES, probability=1.1).restrict(("c",))
    q = method.probabilities.clone()
    run_updates(method, [only])  # nobody to compare with
    assert torch.equal(method.probabilities, q)


def test_a_sample_never_loses_all_it_has():
    method = make_method("opm", base=1.0)
    method.probabilities.fill_(1.0)
    batch = linear_batch(NAMES, samples=30)
    ((update, outcome),) = run_updates(method, [batch])
    assert int(update.losses["fused"][1]) == int(anything(batch).sum()) and outcome.stepped


def test_the_look_at_each_modality_does_not_count_in_the_running_means():
    method, joint = make_method("opm"), make_method("joint")
    joint.model.load_state_dict(method.model.state_dict())
    batch = linear_batch(NAMES, probability=1.1)
    run_updates(joint, [batch, batch])
    method.probabilities.zero_()
    updater = make_updater(method)
    for _ in range(2):
        run_updates(method, [batch], updater)
        method.probabilities.zero_()
    assert_same(method.model, joint.model)


@pytest.mark.parametrize("fusion", ["concat", "gated", "late"])
def test_a_batch_of_nothing_moves_nothing(fusion):
    method = make_method("opm", linear_model(NAMES, fusion=fusion))
    model, _ = twin(method)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, probability=-1)])
    assert not outcome.stepped
    assert_same(method.model, model, atol=0)


def test_own_heads_of_late_fusion_are_the_scores():
    method = make_method("opm", linear_model(NAMES, fusion="late"))
    batch = linear_batch(NAMES, probability=1.1)
    heads = {m: method.model.fusion.head(m)(encode(method.model, batch, m)) for m in NAMES}
    p = torch.stack([heads[m].softmax(1)[torch.arange(10), batch.labels] for m in NAMES])
    expected = drop_probabilities(discrepancies(p, torch.ones(3, 10, dtype=torch.bool)), 0.5, 0.5)
    next(method.updates(Batch(batch.inputs, batch.present, batch.labels, batch.ids)))
    assert torch.allclose(method.probabilities, expected.detach(), atol=1e-6)


@pytest.mark.parametrize("stop", [1, 4])
def test_going_on_gives_the_same_bits(tmp_path, stop):
    fit_tiny(TINY, "opm", tmp_path / "whole", epochs=3)
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(TINY, "opm", tmp_path / "stopped", epochs=3)
    fit_tiny(TINY, "opm", tmp_path / "stopped", epochs=3, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
