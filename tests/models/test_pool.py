"""The pool of decisions: what its numbers do, and what changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.models.fusions.pool import Pool

NAMES = ["a", "b", "c"]


def fitted(weights=(1.0, 1.0, 1.0), beta=1.0, gamma=1.0, average="logits"):
    pool = Pool(NAMES, "fitted", average)
    pool.set(torch.tensor(weights), torch.tensor(beta), torch.tensor(gamma))
    return pool


def decisions(samples=8, scale=2.0):
    each, mask = scale * torch.randn(3, samples, 4), torch.rand(3, samples) < 0.6
    mask[0] |= ~mask.any(0)
    return each, mask


def probabilities(logits):
    return logits.softmax(-1)


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_before_it_is_fitted_it_is_the_equal_pool(average):
    each, mask = decisions()
    one, other = Pool(NAMES, "fitted", average)(each, mask), Pool(NAMES, "equal", average)(each, mask)
    assert torch.allclose(probabilities(one), probabilities(other), atol=1e-6)


def test_it_is_the_formula_by_hand():
    each = torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]], [[5.0, 0.0]]])
    mask = torch.tensor([[True], [True], [False]])
    got = fitted((0.5, 1.5, 1.0), beta=2.0, gamma=0.5)(each, mask)
    logs = np.array([[0.0, -1.0] - np.log1p(np.exp(-1)), [-3.0, 0.0] - np.log1p(np.exp(-3))])
    assert np.allclose(got.numpy(), [2 * (0.5 * logs[0] + 1.5 * logs[1]) / np.sqrt(2.0)], atol=1e-6)
    mixed = fitted((0.5, 1.5, 1.0), beta=2.0, average="probabilities")(each, mask)
    sharp = [np.array([1, np.exp(-2)]) / (1 + np.exp(-2)), np.array([np.exp(-6), 1]) / (1 + np.exp(-6))]
    assert np.allclose(mixed.exp().numpy(), [(0.5 * sharp[0] + 1.5 * sharp[1]) / 2], atol=1e-6)


def test_without_exponent_it_is_a_product_of_experts():
    """Of independent modalities and classes alike frequent, the product is Bayes' rule."""
    rng = np.random.default_rng(0)
    likelihoods = rng.dirichlet(np.ones(4), size=(3, 5))
    posterior = likelihoods.prod(0) / likelihoods.prod(0).sum(-1, keepdims=True)
    got = fitted(gamma=0.0)(torch.from_numpy(np.log(likelihoods)), torch.ones(3, 5, dtype=torch.bool))
    assert np.allclose(probabilities(got).numpy(), posterior, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    factor=st.floats(0.1, 10),
    average=st.sampled_from(["logits", "probabilities"]),
    gamma=st.floats(0, 1),
)
def test_what_changes_nothing(seed, factor, average, gamma):
    torch.manual_seed(seed)
    each, mask = decisions()
    weights = torch.rand(3) + 0.1
    expected = fitted(weights.tolist(), 1.3, gamma, average)(each, mask)
    junk = torch.where(mask.unsqueeze(-1), each, 100 * torch.randn_like(each))
    assert torch.allclose(fitted(weights.tolist(), 1.3, gamma, average)(junk, mask), expected, atol=1e-4)
    shift = each + torch.randn(3, 8, 1)  # logits are known up to a constant
    assert torch.allclose(fitted(weights.tolist(), 1.3, gamma, average)(shift, mask), expected, atol=1e-4)
    turn = torch.randperm(3)
    turned = fitted(weights[turn].tolist(), 1.3, gamma, average)(each[turn], mask[turn])
    assert torch.allclose(turned, expected, atol=1e-4)
    rows = torch.randperm(8)
    part = fitted(weights.tolist(), 1.3, gamma, average)(each[:, rows[:3]], mask[:, rows[:3]])
    assert torch.allclose(part, expected[rows[:3]], atol=1e-5)  # a row is answered by itself
    if gamma == 1 or average == "probabilities":
        scaled = fitted((factor * weights).tolist(), 1.3, gamma, average)(each, mask)
        assert torch.allclose(scaled, expected, atol=1e-4)


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("kind", ["equal", "entropy", "fitted"])
def test_many_coalitions_at_once_are_each_by_itself(kind, average):
    pool = fitted((0.3, 1.7, 1.0), 1.2, 0.4, average) if kind == "fitted" else Pool(NAMES, kind, average)
    each, mask = decisions()
    masks = torch.stack([mask, torch.ones_like(mask), torch.zeros_like(mask)])
    whole = pool(each, masks)
    assert whole.shape == (3, 8, 4) and whole.isfinite().all()
    for k in range(3):
        assert torch.allclose(whole[k], pool(each, masks[k]), atol=1e-6)


def test_its_numbers_are_saved_and_an_equal_pool_has_none():
    pool = fitted((0.3, 1.7, 1.0), 1.2, 0.4)
    again = Pool(NAMES, "fitted")
    again.load_state_dict(pool.state_dict())
    each, mask = decisions()
    assert torch.equal(again(each, mask), pool(each, mask))
    assert again.trust() == pytest.approx({"a": 0.3, "b": 1.7, "c": 1.0})
    assert not Pool(NAMES, "equal").state_dict() and Pool(NAMES, "equal").trust() is None
    assert not list(pool.parameters())  # they are not trained
