"""PMR, held against loops over samples and classes."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from torch import Tensor

from equimodal.data.splits import Splits
from equimodal.errors import Interrupted
from equimodal.methods.pmr import PMRConfig, certainty, imbalance, similarity
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def summed(model, batch):
    """Sum fusion by hand."""
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    # No gradient, rather than one of zero, where a modality is wholly absent.
    here = [encode(model, batch, m) for m in NAMES if batch.present[m].any()]
    return model.fusion.head(torch.stack(here).sum(0) * (len(NAMES) / n).unsqueeze(1))


class Prototypes:
    """Prototypes as a dict by modality and class, sample by sample."""

    def __init__(self, momentum):
        self.momentum, self.of = momentum, {m: {} for m in NAMES}

    def probabilities(self, z, m, b):
        """Probabilities of the classes known, and their numbers."""
        known = sorted(self.of[m])
        distances = torch.stack([((z[b] - self.of[m][c]) ** 2).sum().sqrt() for c in known])
        return known, (-distances).softmax(0)

    def rows(self, batch, m):
        return [b for b in range(len(batch)) if batch.present[m][b] and int(batch.labels[b]) in self.of[m]]

    def follow(self, encodings, batch):
        for m in NAMES:
            for c in range(3):
                members = [encodings[m][b] for b in range(len(batch)) if batch.present[m][b] and batch.labels[b] == c]
                if members:
                    mean = torch.stack(members).mean(0).detach()
                    old = self.of[m].get(c)
                    self.of[m][c] = mean if old is None else self.momentum * old + (1 - self.momentum) * mean


def terms(prototypes, encodings, batch, alpha, mu):
    """The prototype and entropy terms of a batch, in loops."""
    rows = {m: prototypes.rows(batch, m) for m in NAMES}
    ce, calm, score = {}, {}, {}
    for m in NAMES:
        if rows[m]:
            found = [prototypes.probabilities(encodings[m], m, b) for b in rows[m]]
            true = [p[known.index(int(batch.labels[b]))] for b, (known, p) in zip(rows[m], found, strict=True)]
            ce[m] = torch.stack([-p.log() for p in true]).mean()
            calm[m] = torch.stack([math.log(len(known)) + (p * p.log()).sum() for known, p in found]).mean()
            score[m] = float(torch.stack(true).mean().detach())
    total, weights = torch.zeros(()), {}
    for m in score:
        others = [score[j] for j in score if j != m]
        rho = score[m] / np.mean(others) if others else 1.0
        weights[m] = (min(max(1 / rho - 1, 0), 1), min(max(rho - 1, 0), 1))
        total = total + alpha * weights[m][0] * ce[m] + mu * weights[m][1] * calm[m]
    return total, weights


@pytest.mark.parametrize("epoch", [0, 1])
def test_one_plain_step_with_the_prototypes_so_far(epoch):
    options = {"alpha": 1.5, "momentum": 0.6, "entropy": 0.8, "entropy_epochs": 1}
    method = make_method("pmr", linear_model(NAMES, fusion="sum"), **options)
    method.epoch = epoch
    model, _ = twin(method)
    plain, prototypes = Plain(model), Prototypes(0.6)
    data = [linear_batch(NAMES, samples=n) for n in (4, 12, 12, 12)]
    data.insert(3, data[1].restrict(("a", "c")))
    data.insert(4, data[2].restrict(("b",)))
    done = run_updates(method, data)
    used = []
    for batch in data:
        encodings = {m: encode(model, batch, m) for m in NAMES}
        more, weights = terms(prototypes, encodings, batch, 1.5, 0.8 if epoch == 0 else 0.0)
        used += weights.values()
        plain.step(mean_loss(summed(model, batch), batch, anything(batch)) + more)
        prototypes.follow(encodings, batch)
    assert_same(method.model, model, atol=2e-5)
    for i, m in enumerate(NAMES):
        assert sorted(prototypes.of[m]) == method.known[i].nonzero().squeeze(1).tolist()
        for c, vector in prototypes.of[m].items():
            assert torch.allclose(method.prototypes[i, c], vector, atol=1e-4)
    assert max(w[0] for w in used) > 0.1 and max(w[1] for w in used) > 0.1
    assert list(done[0][1].losses) == ["fused"]  # nothing has a prototype yet
    assert any("certainty" in name for name in done[1][1].losses) == (epoch == 0)


def test_ratios_by_hand():
    both = torch.tensor([True, True])
    assert imbalance(torch.tensor([0.6, 0.3]), both).tolist() == [2.0, 0.5]
    three = imbalance(torch.tensor([0.6, 0.3, 0.3]), torch.tensor([True, True, True]))
    assert three.tolist() == pytest.approx([2.0, 0.3 / 0.45, 0.3 / 0.45])
    without = imbalance(torch.tensor([0.6, 0.0, 0.3]), torch.tensor([True, False, True]))
    assert without.tolist() == pytest.approx([2.0, 1.0, 0.5])
    assert imbalance(torch.tensor([0.6, 0.3]), torch.tensor([True, False])).tolist() == [1.0, 1.0]
    assert imbalance(torch.tensor([0.0, 0.0]), both).tolist() == [1.0, 1.0]  # nobody knows anything
    assert torch.isfinite(1 / imbalance(torch.tensor([0.0, 0.9]), both)).all()


def test_only_the_slower_is_drawn_and_only_the_faster_is_calmed():
    """Each modality at its own distance from two prototypes 4 apart: the closer one, b, is the faster."""
    method = make_method("pmr", linear_model(("a", "b"), features=2, width=2, fusion="sum"))
    with torch.no_grad():
        method.known[:, :2] = True
        method.prototypes[:, 1, 0] = 4.0
        for layer in method.model.encoders.values():
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
    batch = linear_batch(("a", "b"), samples=2, features=2, probability=1.1)
    batch.labels.zero_()
    batch.inputs["a"] = torch.tensor([[2.0, 0.0], [2.0, 0.0]])  # half way: p = .5
    batch.inputs["b"] = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    p = np.mean([1 / (1 + math.exp(-4)), 1 / (1 + math.exp(-2))])
    update = next(method.updates(batch))
    means = {name: float((total / count).detach()) for name, (total, count) in update.losses.items()}
    assert means["a to prototypes"] == pytest.approx((p / 0.5 - 1) * math.log(2), abs=1e-5)
    assert means["b to prototypes"] == 0 and means["a certainty"] == 0
    calm = np.mean([math.log(2) - entropy([q, 1 - q]) for q in (1 / (1 + math.exp(-4)), 1 / (1 + math.exp(-2)))])
    assert means["b certainty"] == pytest.approx(0.1 * (p / 0.5 - 1) * calm, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 9999), B=st.integers(1, 40), C=st.integers(1, 40), D=st.integers(1, 9))
def test_distances_of_all_to_all_at_once(seed, B, C, D):
    torch.manual_seed(seed)
    h, prototypes, known = torch.randn(B, D), torch.randn(C, D), torch.rand(C) < 0.7
    near = similarity(h, prototypes, known)
    expected = -cdist(h.double().numpy(), prototypes.double().numpy())
    assert np.allclose(near[:, known].numpy(), expected[:, known.numpy()], atol=1e-5)
    alone = torch.cat([similarity(row[None], prototypes, known) for row in h])
    assert torch.equal(near, alone)  # whatever else is in the batch
    if known.any():
        p = near.softmax(-1)
        assert (p[:, ~known] == 0).all()
        found = math.log(int(known.sum())) - entropy(p.double().numpy(), axis=1)
        assert np.allclose(certainty(near, known).numpy(), found, atol=1e-5)


def test_unknown_classes_and_encodings_on_a_prototype_have_finite_gradients():
    h = torch.zeros(3, 4, requires_grad=True)
    near = similarity(h, torch.zeros(3, 4), torch.tensor([True, False, False]))
    (near.log_softmax(-1)[:, 0].sum() + certainty(near, torch.tensor([True, False, False])).sum()).backward()
    assert torch.isfinite(cast(Tensor, h.grad)).all()
    h.grad = None
    similarity(h, torch.zeros(3, 4), torch.zeros(3, dtype=torch.bool)).softmax(-1).sum().backward()
    assert torch.isfinite(cast(Tensor, h.grad)).all()


@settings(max_examples=50, deadline=None)
@given(scores=st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_somebody_is_slower_exactly_where_somebody_is_faster(scores):
    tensor = torch.tensor(scores, dtype=torch.float64)
    rho = imbalance(tensor, torch.ones(len(scores), dtype=torch.bool))
    assert (rho > 0).all()
    if rho.max() > 1 + 1e-6:
        assert rho.min() < 1
    if rho.min() < 1 - 1e-6:
        assert rho.max() > 1
    assert float(rho[tensor.argmax()]) == pytest.approx(float(rho.max()))
    assert float(rho[tensor.argmin()]) == pytest.approx(float(rho.min()))


def test_prototypes_come_from_training_rows_alone(tiny, tmp_path):
    """With other validation and test rows they end up the same; evaluating does not touch them."""
    swapped = Splits(tiny.train, tiny.test, tiny.validation)
    for name, data in {"one": tiny, "other": swapped}.items():
        fit_tiny(data, "pmr", tmp_path / name)
    one, other = (load_file(tmp_path / name / "checkpoint" / "state.safetensors") for name in ("one", "other"))
    assert one["method/prototypes"].abs().sum() > 0 and one["method/known"].all()
    assert torch.equal(one["method/prototypes"], other["method/prototypes"])


def test_an_absent_modality_takes_no_step_and_makes_no_nan():
    method = make_method("pmr", linear_model(NAMES, fusion="concat"))
    batch = linear_batch(NAMES, probability=1.1)
    run_updates(method, [batch])
    before, kept = method.model.encoders["b"].weight.clone(), method.prototypes[1].clone()
    (update, outcome), (_, nothing) = run_updates(method, [batch.restrict(("a", "c")), batch.restrict(())])
    assert outcome.stepped and not nothing.stepped
    assert "b to prototypes" in update.losses and "b to prototypes" not in outcome.losses
    assert torch.equal(method.model.encoders["b"].weight, before) and torch.equal(method.prototypes[1], kept)
    assert all(torch.isfinite(p).all() for p in method.model.parameters())


def test_options_have_bounds():
    for wrong in ({"alpha": -1}, {"momentum": 1}, {"entropy": -0.1}, {"entropy_epochs": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PMRConfig.model_validate(wrong)


@pytest.mark.parametrize("stop", [1, 3])
def test_going_on_after_a_stop_gives_the_same_bits(tiny, tmp_path, stop):
    fit_tiny(tiny, "pmr:entropy_epochs=1", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "pmr:entropy_epochs=1", tmp_path / "stopped")
    fit_tiny(tiny, "pmr:entropy_epochs=1", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
