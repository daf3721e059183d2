"""ReconBoost against plain PyTorch, the gradient of its stages in closed form, and the plan of its stages."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from equimodal.errors import Interrupted
from equimodal.methods.recon_boost import ReconBoost, stage_lengths
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, lines_of, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def at(epoch, epochs=48, model=None, **options):
    """A method in the midst of a run."""
    method = make_method("recon_boost", model, **options)
    method.epoch, method.epochs = epoch, epochs
    return method


def learners(names, epochs, **options):
    method = at(0, epochs, linear_model(names), **options)
    plan = []
    for method.epoch in range(epochs):
        plan.append(method.learner)
    return plan


def plain_stage_loss(model, batch, m, others, w=(5.0, 1.0, 0.5)):
    """The stage's loss, row by row."""
    total, terms = 0.0, []
    here = batch.present[m]
    logits = {name: model.fusion.heads[name](encode(model, batch, name)) for name in (m, *others)}
    for i in here.nonzero().flatten().tolist():
        fellows = [logits[o][i].detach() for o in others if batch.present[o][i]]
        if fellows:
            z, ensemble = logits[m][i], torch.stack(fellows).mean(0)
            p = ensemble.softmax(0)
            divergence = (p * (p.log() - z.log_softmax(0))).sum()
            terms.append(-w[1] * divergence + w[2] * ((z - ensemble) ** 2).mean())
    if here.any():
        total = w[0] * mean_loss(logits[m], batch, here)
    return total + torch.stack(terms).mean() if terms else total


@pytest.mark.parametrize("epoch", [8, 16, 24])
def test_a_stage_is_a_plain_step_of_one_modality_against_the_others(epoch):
    method = at(epoch)
    m = NAMES[epoch // 8 % 3]
    others = tuple(o for o in NAMES if o != m)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict((m,)))  # nothing to be set against: its cross entropy remains
    data.append(data[0].restrict(others))  # the learner wholly absent: no step
    done = run_updates(method, data)
    for batch in data[:-1]:
        plain.step(plain_stage_loss(model, batch, m, others))
    assert_same(method.model, model)
    assert all(update.modalities == (m,) and len(update.losses) == 3 for update, _ in done)
    assert [outcome.stepped for _, outcome in done] == [True] * 5 + [False]


def test_the_first_stage_has_no_ensemble():
    method = at(0)
    model, _ = twin(method)
    batch = linear_batch(NAMES, samples=12)
    ((_, outcome),) = run_updates(method, [batch])
    Plain(model).step(5 * mean_loss(model.fusion.heads["a"](encode(model, batch, "a")), batch, batch.present["a"]))
    assert_same(method.model, model)
    assert outcome.losses.keys() == {"a"}


def test_rectification_is_a_plain_step_of_all_on_the_fused_loss():
    method = at(4)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    for batch in data:
        here = torch.stack([batch.present[m] for m in NAMES])[..., None]
        each = torch.stack([model.fusion.heads[m](encode(model, batch, m)) for m in NAMES])
        plain.step(mean_loss((each * here).sum(0) / here.sum(0).clamp(min=1), batch, anything(batch)))
    assert_same(method.model, model)
    assert [update.modalities for update, _ in done] == [NAMES] * 3


def test_a_modality_absent_from_rectification_does_not_move_by_a_bit():
    method = at(4)
    updater = make_updater(method)
    batch = linear_batch(NAMES, samples=12)
    run_updates(method, [batch], updater)  # momentum
    before = [p.clone() for p in method.model.own_parameters("b")]
    run_updates(method, [batch.restrict(("a", "c"))], updater)
    assert all(torch.equal(p, q) for p, q in zip(method.model.own_parameters("b"), before, strict=True))


def gradient_of(loss, method, batch):
    """The gradient of one loss of a stage in the bias of the learner's head: the mean of those in its logits."""
    total, count = method._stage_losses(batch, method.learner)[loss]
    return torch.autograd.grad(total / count, method.fusion.head(method.learner).bias)[0].numpy()


def logits_of(method, batch):
    model = method.model
    return {m: model.fusion.heads[m](encode(model, batch, m)).detach().numpy() for m in NAMES}


def test_the_agreement_carries_gradient():
    method = at(8)
    batch = linear_batch(NAMES, probability=1.1)
    z = logits_of(method, batch)
    expected = 0.5 * 2 / 3 * (z["b"] - (z["a"] + z["c"]) / 2).mean(0)
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(gradient_of("b agreement", method, batch), expected, atol=1e-6)


def test_the_stage_fits_the_residual_of_the_ensemble():
    """The paper's point: the gradient is (w1 - w2) p_m - (w1 y - w2 p_F), which needs KL in this direction."""
    method = at(8)
    batch = linear_batch(NAMES, probability=1.1)
    z = logits_of(method, batch)
    y, p, ensemble = np.eye(3)[batch.labels.numpy()], softmax(z["b"], 1), softmax((z["a"] + z["c"]) / 2, 1)
    expected = (5 - 1) * p - (5 * y - ensemble)
    got = gradient_of("b", method, batch) + gradient_of("b reconcilement", method, batch)
    assert np.allclose(got, expected.mean(0), atol=1e-6)


def test_the_ensemble_is_frozen_whole(tiny):
    """Not a bit of the others moves in a stage, nor do statistics of a batch norm, and no dropout blurs them."""
    model = linear_model(NAMES)
    for name in NAMES:
        model.encoders[name] = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout())
    method = at(8, model=model)
    batch = linear_batch(NAMES, probability=1.1)
    before = {key: tensor.clone() for key, tensor in method.model.state_dict().items()}
    one, two = (method._frozen(batch)[0] for _ in range(2))
    assert torch.equal(one, two) and not one.requires_grad
    run_updates(method, [batch, batch])
    moved = {key for key, tensor in method.model.state_dict().items() if not torch.equal(tensor, before[key])}
    own = {f"encoders.b.{key}" for key in method.model.encoders["b"].state_dict()}
    assert moved == own | {"_fusion.heads.b.weight", "_fusion.heads.b.bias"}
    assert all(module.training for module in method.model.modules())


def test_stages_visit_the_modalities_in_turn_each_followed_by_rectification():
    plan = learners(("a", "b"), 24)
    assert plan == ["a"] * 4 + [None] * 4 + ["b"] * 4 + [None] * 4 + ["a"] * 4 + [None] * 4
    assert learners(NAMES, 7, stage_epochs=2, rectify_epochs=0) == ["a", "a", "b", "b", "c", "c", "a"]


def test_the_ensemble_holds_the_trained():
    def ensemble(epoch, **options):
        return at(epoch, stage_epochs=1, **options).ensemble

    assert [ensemble(e, rectify_epochs=1) for e in (0, 2, 4)] == [(), ("a", "c"), ("a", "b")]
    assert [ensemble(e, rectify_epochs=0) for e in range(4)] == [(), ("a",), ("a", "b"), ("b", "c")]


@settings(max_examples=80, deadline=None)
@given(n=st.integers(2, 5), epochs=st.integers(1, 80), stage=st.integers(1, 6), rectify=st.integers(0, 6))
def test_every_modality_has_its_stage_however_few_the_epochs(n, epochs, stage, rectify):
    names = tuple("abcde"[:n])
    plan = learners(names, epochs, stage_epochs=stage, rectify_epochs=rectify)
    assert set(plan) - {None} == set(names[:epochs])
    if epochs >= n * (stage + rectify):
        assert stage_lengths(epochs, n, stage, rectify) == (stage, rectify)


def test_every_sample_is_seen_and_only_the_learner_steps(tiny, monkeypatch, tmp_path):
    rows = Counter()
    plain = ReconBoost.updates

    def spy(self, batch):
        rows[self.epoch] += len(batch)
        if self.learner is not None:
            _, count = self._stage_losses(batch, self.learner)[self.learner]
            rows[self.learner] += int(count)
        yield from plain(self, batch)

    monkeypatch.setattr(ReconBoost, "updates", spy)
    fit_tiny(tiny, "recon_boost:stage_epochs=1,rectify_epochs=1", tmp_path / "run", epochs=4, batch_size=20)
    train = tiny.train
    assert [rows[epoch] for epoch in range(4)] == [len(train)] * 4
    assert all(rows[m] == train.present[m].sum() for m in train.modalities)
    lines = lines_of(tmp_path / "run")
    assert [line["order"] for line in lines] == [["vector"], None, ["sequence"], None]
    assert [set(line["updates"]) for line in lines] == [
        {"vector"}, {"vector", "sequence"}, {"sequence"}, {"vector", "sequence"}
    ]  # fmt: skip


@pytest.mark.parametrize("stop", [1, 3, 4, 6, 8])
def test_going_on_from_anywhere_gives_the_same_bits(tiny, tmp_path, stop):
    method = "recon_boost:stage_epochs=1,rectify_epochs=1"
    fit_tiny(tiny, method, tmp_path / "whole", epochs=4)
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, method, tmp_path / "stopped", epochs=4)
    fit_tiny(tiny, method, tmp_path / "stopped", epochs=4, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
