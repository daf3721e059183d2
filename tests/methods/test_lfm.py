"""LFM against plain PyTorch, its divergence against SciPy, and what anneals the gap's weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy

from equimodal.errors import Interrupted
from equimodal.methods.lfm import prediction_gap
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def gap_by_rows(logits, present):
    """The mean of H(mean of p) - mean of H(p) over the rows with two modalities at least, or None."""
    each = []
    for i in range(present.shape[1]):
        p = logits[present[:, i], i].softmax(-1)
        if len(p) >= 2:
            h = torch.distributions.Categorical(probs=p).entropy().mean()
            each.append(torch.distributions.Categorical(probs=p.mean(0)).entropy() - h)
    return torch.stack(each).mean() if each else None


def plain_losses(model, batch):
    """The fused loss and the gap by late fusion, by hand; a modality that no row has takes no part."""
    names = [m for m in NAMES if batch.present[m].any()]
    present = torch.stack([batch.present[m] for m in names])
    each = torch.stack([model.fusion.heads[m](encode(model, batch, m)) for m in names])
    here = present[..., None]
    fused = (each * here).sum(0) / here.sum(0).clamp(min=1)
    return mean_loss(fused, batch, anything(batch)), gap_by_rows(each, present)


def flat_gradient(loss, parameters):
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([(p * 0 if g is None else g).flatten() for p, g in zip(parameters, found, strict=True)]).detach()


def test_an_update_is_a_plain_step_on_the_weighted_sum():
    method = make_method("lfm", label_weight=0.7, gap_weight=2.0)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict(("a", "c")))  # "b" wholly absent
    data.append(data[-1].restrict(("c",)))  # no two predictions: no gap
    done = run_updates(method, data)
    for batch in data:
        fused, gap = plain_losses(model, batch)
        plain.step(0.7 * fused + (0.0 if gap is None else 2.0 * gap))
    assert_same(method.model, model, atol=1e-5)
    assert [update.modalities for update, _ in done] == [NAMES] * 6
    assert [set(outcome.losses) for _, outcome in done] == [{"fused", "gap"}] * 5 + [{"fused"}]


@pytest.mark.parametrize("fusion", ["late", "concat", "sum", "gated"])
def test_a_modality_alone_is_the_models_coalition_of_it(fusion):
    method = make_method("lfm", linear_model(NAMES, fusion=fusion))
    batch = linear_batch(NAMES, probability=1.1)
    run_updates(method, [batch])  # stand-in means are there now
    update = next(method.updates(batch))
    model = method.model.eval()
    alone = torch.stack([model(batch.restrict((m,))) for m in NAMES])
    total, count = update.losses["gap"]
    total = total.detach()
    expected = gap_by_rows(alone.detach(), torch.ones(3, len(batch), dtype=torch.bool))
    assert int(count) == len(batch) and float(total / count) == pytest.approx(float(expected), rel=1e-4)
    fused, count = update.losses["fused"]
    assert torch.allclose(fused / count, torch.nn.functional.cross_entropy(model(batch), batch.labels))


def test_the_mean_encodings_of_concatenation_are_those_of_joint_training():
    """All coalitions go through the fusion in one call: the running mean moves once a batch."""
    batch = linear_batch(NAMES, samples=12)
    means = []
    for name in ("lfm", "joint"):
        torch.manual_seed(3)
        method = make_method(name, linear_model(NAMES, fusion="concat"))
        next(method.updates(batch))
        next(method.updates(batch))
        means.append(method.model.fusion.substitute.mean)
    assert torch.allclose(*means, atol=1e-6) and means[0].abs().max() > 0


def test_two_modalities_have_the_jensen_shannon_divergence_of_scipy():
    logits = torch.randn(2, 7, 4)
    total, count = prediction_gap(logits, torch.ones(2, 7, dtype=torch.bool))
    p, q = softmax(logits.numpy(), -1)
    expected = sum(jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True))
    assert float(total) == pytest.approx(expected, abs=1e-5) and int(count) == 7


def test_it_is_no_other_divergence():
    """p = (.9, .1), q = (.5, .5): JS is .1017; with the mixture first it would be .1180, and Jeffreys' half .4394."""
    p, q = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    m = (p + q) / 2
    right, swapped, jeffreys = (
        (entropy(p, m) + entropy(q, m)) / 2,
        (entropy(m, p) + entropy(m, q)) / 2,
        (entropy(p, q) + entropy(q, p)) / 2,
    )
    logits = torch.from_numpy(np.log(np.stack([p, q]))).unsqueeze(1)
    total, _ = prediction_gap(logits, torch.ones(2, 1, dtype=torch.bool))
    assert float(total) == pytest.approx(right, abs=1e-6)
    assert min(abs(right - swapped), abs(right - jeffreys)) > 0.01


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 5), scale=st.floats(0, 300), density=st.floats(0, 1))
def test_the_gap_is_bounded_symmetric_and_blind_to_what_is_absent(seed, n, scale, density):
    torch.manual_seed(seed)
    logits = (scale * torch.randn(n, 15, 4)).requires_grad_()
    present = torch.rand(n, 15) < density
    total, count = prediction_gap(logits, present)
    assert int(count) == int((present.sum(0) >= 2).sum())
    assert -1e-4 <= float(total.detach()) <= int(count) * np.log(n) + 1e-4
    order = torch.randperm(n)
    assert torch.allclose(prediction_gap(logits[order], present[order])[0], total, atol=1e-4)
    (gradient,) = torch.autograd.grad(total, logits)
    assert gradient.isfinite().all() and (gradient[~present] == 0).all()
    assert float(prediction_gap(logits[:1].detach().expand(n, -1, -1), present)[0]) == pytest.approx(0, abs=1e-4)


def test_the_weight_follows_the_mean_cosine_of_the_two_gradients():
    method = make_method("lfm", gap_weight=1.0, rate=0.5)
    model = method.model
    batch = linear_batch(NAMES, samples=12)
    cosines = []
    updater = make_updater(method)
    for number in range(3):
        some = batch if number < 2 else batch.restrict(("a",))  # no gap: not a vote
        if number < 2:
            g, h = (flat_gradient(loss, list(model.parameters())) for loss in plain_losses(model, some))
            cosines.append(float(g @ h / (g.norm() * h.norm())))
        run_updates(method, [some], updater)
    before = float(method.gap_weight)
    method.on_epoch_trained()
    assert float(method.gap_weight) == pytest.approx(min(max(before + 0.5 * np.mean(cosines), 0), 1), abs=1e-5)
    weight = float(method.gap_weight)
    method.on_epoch_trained()  # nothing new: the votes of an epoch are spent
    assert float(method.gap_weight) == weight


@pytest.mark.parametrize(("sign", "expected"), [(-1, 0.0), (1, 1.0)])
def test_a_gap_at_odds_with_the_labels_loses_its_weight_and_gets_it_back(sign, expected):
    method = make_method("lfm", rate=0.4)
    one = next(iter(method.model.parameters()))
    g = torch.ones_like(one)
    if sign > 0:
        method.gap_weight.fill_(0.0)
    for _ in range(3):
        stepped = method._weigh({"fused": {one: g}, "gap": {one: sign * 3 * g}})
        method.on_epoch_trained()
    assert float(method.gap_weight) == pytest.approx(expected)
    assert method._weigh({"fused": {one: g}, "gap": {one: 0 * g}})[one].isfinite().all()
    assert torch.allclose(stepped[one], g + (0.2 if sign < 0 else 0.8) * sign * 3 * g)


def test_a_rate_of_nothing_keeps_the_weight():
    method = make_method("lfm", gap_weight=0.3, rate=0.0)
    run_updates(method, [linear_batch(NAMES, samples=12) for _ in range(3)])
    method.on_epoch_trained()
    assert float(method.gap_weight) == pytest.approx(0.3)


def test_without_weight_for_the_gap_it_is_joint_training():
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    ends = []
    for name, options in (("lfm", {"gap_weight": 0.0}), ("joint", {})):
        torch.manual_seed(3)
        method = make_method(name, linear_model(NAMES, fusion="late"), **options)
        run_updates(method, data)
        ends.append(method.model)
    assert_same(*ends)


def test_a_modality_that_is_absent_does_not_move_by_a_bit():
    method = make_method("lfm")
    updater = make_updater(method)
    batch = linear_batch(NAMES, samples=12)
    run_updates(method, [batch], updater)  # momentum
    before = [p.clone() for p in method.model.own_parameters("b")]
    run_updates(method, [batch.restrict(("a", "c"))], updater)
    assert all(torch.equal(p, q) for p, q in zip(method.model.own_parameters("b"), before, strict=True))
    assert all(p.isfinite().all() for p in method.model.parameters())


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_going_on_from_anywhere_gives_the_same_bits(tiny, tmp_path, stop):
    fit_tiny(tiny, "lfm:rate=0.5", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "lfm:rate=0.5", tmp_path / "stopped")
    fit_tiny(tiny, "lfm:rate=0.5", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
