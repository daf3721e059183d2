from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from torch import nn

from equimodal.batch import Batch
from equimodal.config.method import parse_method
from equimodal.errors import ConfigError, Interrupted
from equimodal.methods.ogm_ge import OGMGEConfig, modulation
from equimodal.models.classifier import Classifier
from equimodal.training import names
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


def model_of(fusion: str) -> Any:
    options: dict[str, Any] = (
        {"absent": "zeros"} if fusion == "concat" else {}
    )  # without the running mean there is no state
    return linear_model(NAMES, fusion=fusion, fusion_options=options)


def data_of(count=4):
    batches = [linear_batch(NAMES, samples=12) for _ in range(count)]
    return [*batches, batches[-1].restrict(("a", "c"))]


def parts_by_hand(model, batch):
    """Each modality's logits, and the fused ones, by matrix products of our own."""
    z = {m: encode(model, batch, m) for m in NAMES}
    here = torch.stack([batch.present[m] for m in NAMES]).float()
    if model.fusion_name == "late":
        parts = {m: z[m] @ model.fusion.heads[m].weight.T + model.fusion.heads[m].bias for m in NAMES}
        stacked = torch.stack([parts[m] for m in NAMES]) * here.unsqueeze(2)
        return parts, stacked.sum(0) / here.sum(0).clamp(min=1).unsqueeze(1)
    blocks = dict(zip(NAMES, model.fusion.head.weight.split(model.width, dim=1), strict=True))
    parts = {m: z[m] @ blocks[m].T + model.fusion.head.bias / 3 for m in NAMES}
    return parts, sum(z[m] @ blocks[m].T for m in NAMES) + model.fusion.head.bias


def factors_by_hand(parts, batch, alpha):
    scores = {}
    for m in NAMES:
        rows = batch.present[m].numpy()
        if rows.any():
            P = softmax(parts[m].detach().numpy().astype(float), axis=1)
            scores[m] = P[np.arange(len(rows)), batch.labels.numpy()][rows].mean()
    factors = dict.fromkeys(NAMES, 1.0)
    for m, score in scores.items():
        others = [other for name, other in scores.items() if name != m]
        if others and (rho := score / np.mean(others)) > 1:
            factors[m] = 1 - math.tanh(alpha * rho)
    return factors


def scaled_step(plain, loss, model, factors):
    plain.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    for m, factor in factors.items():
        for p in model.encoders[m].parameters():
            if p.grad is not None:
                p.grad *= factor
    nn.utils.clip_grad_norm_([p for p in plain.parameters if p.grad is not None], TRAINING.clip_norm or 0.0)
    plain.optimiser.step()


@pytest.mark.parametrize("fusion", ["concat", "late"])
def test_without_noise_it_is_a_plain_step_with_scaled_encoders(fusion):
    method = make_method("ogm_ge", model_of(fusion), alpha=0.5, noise=False)
    model, _ = twin(method)
    plain = Plain(model)
    data = data_of()
    run_updates(method, data)
    slowed = 0
    for batch in data:
        parts, fused = parts_by_hand(model, batch)
        factors = factors_by_hand(parts, batch, 0.5)
        slowed += sum(factor < 1 for factor in factors.values())
        for m in NAMES:  # what is one modality's own rests where that is absent from the whole batch
            for p in model.own_parameters(m):
                p.requires_grad_(bool(batch.present[m].any()))
        scaled_step(plain, mean_loss(fused, batch, anything(batch)), model, factors)
    assert slowed >= len(data)
    assert_same(method.model, model, atol=2e-6)


def test_a_factor_by_hand():
    k = modulation(torch.tensor([0.9, 0.4, 0.2]), torch.ones(3, dtype=torch.bool), alpha=0.1)
    assert k.tolist() == pytest.approx([1 - math.tanh(0.1 * 0.9 / 0.3), 1.0, 1.0])
    k = modulation(torch.tensor([0.9, 0.8, 0.1]), torch.ones(3, dtype=torch.bool), alpha=0.1)
    assert k.tolist() == pytest.approx([1 - math.tanh(0.1 * 0.9 / 0.45), 1 - math.tanh(0.1 * 0.8 / 0.5), 1.0])


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.floats(0.001, 1), min_size=2, max_size=6),
    alpha=st.just(0) | st.floats(0.01, 5),
    power=st.integers(-5, 5),
)
def test_who_leads_is_slowed_and_the_last_never(scores, alpha, power):
    s = torch.tensor(scores, dtype=torch.float64)
    everyone = torch.ones(len(s), dtype=torch.bool)
    k = modulation(s, everyone, alpha)
    assert ((k >= 0) & (k <= 1)).all() and k[s.argmin()] == 1
    assert torch.equal(k, modulation(2.0**power * s, everyone, alpha))
    if alpha > 0 and s.max() > s.min() + 1e-6:
        assert k[s.argmax()] < 1
    if len(s) == 2:
        assert int((k < 1).sum()) <= 1


@settings(max_examples=50, deadline=None)
@given(scores=st.lists(st.floats(0, 1), min_size=3, max_size=5), nonsense=st.floats(0, 1) | st.just(math.nan))
def test_one_that_was_not_measured_counts_for_nobody(scores, nonsense):
    measured = torch.tensor([False, *[True] * len(scores)])
    k = modulation(torch.tensor([nonsense, *scores]), measured, alpha=0.7)
    alone = modulation(torch.tensor(scores), torch.ones(len(scores), dtype=torch.bool), alpha=0.7)
    assert k[0] == 1 and torch.allclose(k[1:], alone)


@pytest.mark.parametrize("scores", [[0.0, 0.0], [0.5, 0.0], [1.0, 1e-30]])
def test_scores_of_zero_give_no_nan(scores):
    k = modulation(torch.tensor(scores), torch.tensor([True, True]), alpha=0.3)
    assert k.isfinite().all() and k[1] == 1 and (k[0] == 1) == (scores[0] == 0)
    assert modulation(torch.tensor([0.9, 0.1]), torch.tensor([True, False]), alpha=0.3).tolist() == [1, 1]


class EveryRank(nn.Module):
    """An encoder with tensors of every rank, one of them a single number."""

    def __init__(self, features: int = 4, width: int = 6) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, (1, 3))
        self.norm = nn.LayerNorm(3 * (features - 2))
        self.wide = nn.Linear(3 * (features - 2), 2000)
        self.out = nn.Linear(2000, width)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        x = self.convolution(x[:, None, None]).flatten(1)
        return self.scale * self.out(torch.tanh(self.wide(self.norm(x))))


def gradients_of(method, batch):
    """The plain gradients, and what the method makes of them."""
    (update,) = method.updates(batch)
    total, count = update.losses["fused"]
    parameters = dict(method.model.named_parameters())
    grads = torch.autograd.grad(total / count, list(parameters.values()), allow_unused=True)
    plain = {n: g for n, g in zip(parameters, grads, strict=True) if g is not None}
    step = update.combine({"fused": {parameters[n]: g.clone() for n, g in plain.items()}})
    return plain, {n: step[parameters[n]] for n in plain}


@pytest.fixture
def led_by_a():
    """A method, and a batch whose labels are what "a" says; "b" hardly says anything, but learns."""
    torch.manual_seed(1)
    encoders = {"a": EveryRank(), "b": nn.Linear(4, 5)}
    model: Any = Classifier(encoders, CLASSES, width=6, widths={"b": 5}, fusion="concat")
    with torch.no_grad():
        model.fusion.head.bias.zero_()
        model.fusion.head.weight[:, 6:] *= 0.01
        batch = linear_batch(("a", "b"), probability=1.1)
        labels = (model.encode(batch)["a"] @ model.fusion.head.weight[:, :6].T).argmax(1)
    return model, Batch(batch.inputs, batch.present, labels, batch.ids)


def test_all_tensors_of_a_leading_encoder_are_scaled_and_the_head_is_not(led_by_a):
    """The trap: not only those of rank 4."""
    model, batch = led_by_a
    plain, step = gradients_of(make_method("ogm_ge", model, alpha=0.4, noise=False), batch)
    with torch.no_grad():
        z = model.encode(batch)["a"] @ model.fusion.head.weight[:, :6].T
        lead = float(z.softmax(1).amax(1).mean()) * 3  # "b" gives each class a third
    slowed = {n for n in plain if n.startswith("encoders.a")}
    assert {plain[n].ndim for n in slowed} == {0, 1, 2, 4} and len(plain) - len(slowed) == 6
    for n, g in plain.items():
        assert g.any() and torch.allclose(step[n], (1 - math.tanh(0.4 * lead) if n in slowed else 1) * g, rtol=0.02), n


def test_noise_has_each_tensors_own_spread_and_is_on_the_encoders_alone(led_by_a):
    model, batch = led_by_a
    plain, still = gradients_of(make_method("ogm_ge", model, alpha=0.4, noise=False), batch)
    method = make_method("ogm_ge", model, alpha=0.4)
    draws = []
    for _ in range(60):
        step = gradients_of(method, batch)[1]
        draws.append({n: step[n] - g for n, g in still.items()})
    for n, g in plain.items():
        noise = torch.stack([draw[n] for draw in draws])
        if n.startswith(("encoders.", "projections.")) and g.numel() > 1:
            size = float(g.double().numpy().std())
            assert float(noise.std()) == pytest.approx(size, rel=5 / math.sqrt(2 * noise.numel()))
            assert abs(float(noise.mean())) < 4.5 * size / math.sqrt(noise.numel())
        else:  # the head, and a tensor of one entry, which has no spread
            assert not noise.any(), n


def test_outside_the_window_it_is_joint_training():
    for epoch, epochs, window, inside in [
        (0, 9, {"start": 1, "end": 3}, False),
        (1, 9, {"start": 1, "end": 3}, True),
        (3, 9, {"start": 1, "end": 3}, False),
        (4, 10, {"start": 0.25, "end": 0.5}, True),
        (5, 10, {"start": 0.25, "end": 0.5}, False),
        (1, 10, {"start": 0.25, "end": 1.0}, False),
        (9, 10, {"start": 0.25, "end": 1.0}, True),
        (49, 90, {}, True),
        (50, 90, {}, False),
    ]:
        torch.manual_seed(0)
        model = model_of("concat")
        method, joint = make_method("ogm_ge", model, **window), make_method("joint", copy.deepcopy(model))
        method.epoch, method.epochs = epoch, epochs
        data = data_of(2)
        run_updates(method, data)
        run_updates(joint, data)
        different = [not torch.equal(p, q) for p, q in zip(model.parameters(), joint.model.parameters(), strict=True)]
        assert any(different) == inside, (epoch, window)


def test_the_encoder_of_an_absent_modality_does_not_move():
    method = make_method("ogm_ge", linear_model(NAMES))
    updater = make_updater(method)
    run_updates(method, data_of(2), updater)
    before = copy.deepcopy(method.model)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES).restrict(("a", "c"))], updater)
    assert outcome.stepped and all(p.isfinite().all() for p in method.model.parameters())
    assert_same(method.model.encoders["b"], before.encoders["b"], atol=0)
    assert not torch.equal(method.model.encoders["a"].weight, before.encoders["a"].weight)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, probability=-1)], updater)
    assert not outcome.stepped


def test_a_shared_encoder_gets_the_mean_of_its_owners_factors():
    one = nn.Linear(4, 6)
    model: Any = Classifier({"a": one, "b": one}, CLASSES, width=6, fusion="concat")
    method = make_method("ogm_ge", model, alpha=0.6, noise=False)
    batch = linear_batch(("a", "b"), probability=1.1)
    plain, step = gradients_of(method, batch)
    scores = [
        torch.nn.functional.linear(one(batch.inputs[m]), block, model.fusion.head.bias / 2).softmax(1)
        for m, block in zip(("a", "b"), model.fusion.head.weight.split(6, dim=1), strict=True)
    ]
    s = [float(P[torch.arange(10), batch.labels].detach().mean()) for P in scores]
    factor = (1 - math.tanh(0.6 * max(s) / min(s)) + 1) / 2
    assert torch.allclose(step["encoders.a.weight"], factor * plain["encoders.a.weight"], rtol=1e-4)


@pytest.mark.parametrize("window", [{"start": 5, "end": 5}, {"start": 0.5, "end": 0.25}])
def test_a_window_that_ends_before_it_starts_is_refused(window):
    with pytest.raises(ValueError, match="end: expected an epoch after start"):
        OGMGEConfig.model_validate(window)


def test_the_window_in_words_of_a_recipe():
    config = parse_method("ogm_ge:start=2,end=0.5", names=names.NAMES).options
    assert (config["start"], config["end"]) == (2, 0.5) and isinstance(config["start"], int)
    with pytest.raises(ConfigError, match="end"):
        parse_method("ogm_ge:end=1.5", names=names.NAMES)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_going_on_gives_the_same_bits(tiny, tmp_path, stop):
    fit_tiny(tiny, "ogm_ge", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "ogm_ge", tmp_path / "stopped")
    fit_tiny(tiny, "ogm_ge", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
