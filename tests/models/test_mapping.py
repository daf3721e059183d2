from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import ConfigError
from equimodal.models.mapping import CrossModalMapping, alignment_loss, alignment_weights


def naive_weights(previous: np.ndarray, mapped: np.ndarray, tau: float, valid: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(mapped), len(mapped)))
    for i in range(len(mapped)):
        for j in range(len(mapped)):
            if i == j:
                weights[i, j] = 1
            elif valid[i] and valid[j]:
                r = np.corrcoef(previous[i], mapped[j])[0, 1]
                weights[i, j] = r if r >= tau else 0
        weights[i] /= weights[i].sum()
    return weights


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), rows=st.integers(1, 8), tau=st.sampled_from([0.05, 0.3, 0.5, 1.0]))
def test_weights_are_those_of_plain_loops(seed, rows, tau):
    rng = np.random.default_rng(seed)
    previous, mapped = rng.normal(size=(2, rows, 5))
    mapped += 0.7 * previous[rng.permutation(rows)]  # partners to find, elsewhere than on the diagonal
    valid = rng.random(rows) < 0.7
    weights = alignment_weights(torch.from_numpy(previous), torch.from_numpy(mapped), tau, torch.from_numpy(valid))
    assert np.allclose(weights.numpy(), naive_weights(previous, mapped, tau, valid), atol=1e-9)
    assert np.allclose(weights.sum(1).numpy(), 1)
    assert (weights.diagonal() > 0).all()
    for i in np.flatnonzero(~valid):  # an absent row mixes with nobody
        assert weights[i].tolist() == np.eye(rows)[i].tolist() and weights[:, i].tolist() == np.eye(rows)[i].tolist()


def test_partners_are_found_at_all():
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(6, 40)))
    weights = alignment_weights(rows, rows.roll(1, 0), 0.5, torch.ones(6, dtype=torch.bool))
    assert torch.allclose(weights, (torch.eye(6) + torch.eye(6).roll(1, 1)).double() / 2, atol=1e-6)


def test_alignment_is_the_weights_times_the_mapped_rows_in_training_only():
    mapping = CrossModalMapping(["a", "b"], 5, tau=0.2)
    x, previous = torch.randn(7, 5), torch.randn(7, 5)
    valid = torch.rand(7) < 0.6
    mapped = mapping.maps["a"](x)
    expected = alignment_weights(previous, mapped, 0.2, valid) @ mapped
    assert torch.equal(mapping("a", x, previous, valid), expected)
    assert not torch.allclose(expected, mapped)
    assert torch.equal(mapping("a", x), mapped)  # no weaker modality
    assert torch.equal(mapping.eval()("a", x, previous, valid), mapped)
    plain = CrossModalMapping(["a", "b"], 5, feature_level=False, sample_level=False)
    assert torch.equal(plain("a", x, previous), x) and not list(plain.parameters())


@pytest.mark.parametrize("feature_level", [True, False])
def test_a_bounded_mapping_hands_the_memory_standardised_rows_between_minus_one_and_one(feature_level):
    mapping, plain = (CrossModalMapping(["a", "b"], 5, feature_level=feature_level, bounded=b) for b in (True, False))
    x = 10 * torch.randn(2, 7, 5)
    mapped = mapping.map("a", x)
    assert torch.equal(mapped, mapping.maps["a"](x) if feature_level else x)  # the map itself has no bound
    rows = mapped.detach().numpy()
    expected = np.tanh(2 * (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + 1e-5))
    assert np.allclose(mapping.bound(mapped).detach().numpy(), expected, atol=1e-5)
    assert torch.equal(plain.bound(mapped), mapped)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.5, 100), shift=st.floats(-10, 10), seed=st.integers(0, 999))
def test_what_the_memory_reads_depends_on_neither_scale_nor_shift_of_a_row(scale, shift, seed):
    mapping = CrossModalMapping(["a"], 8, bounded=True)
    rows = torch.randn(4, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert torch.allclose(mapping.bound(rows), mapping.bound(scale * rows + shift), atol=1e-3)


def test_maps_that_are_rotations_at_first_keep_the_size_of_every_row():
    mapping = CrossModalMapping(["a", "b"], 16, rotations=True)
    rows = torch.randn(9, 16)
    for name in ("a", "b"):
        assert torch.allclose(mapping.map(name, rows).norm(dim=1), rows.norm(dim=1), rtol=1e-5)
    assert not torch.allclose(mapping.map("a", rows), mapping.map("b", rows))
    shrunk = CrossModalMapping(["a"], 16).map("a", rows).norm(dim=1) / rows.norm(dim=1)
    assert shrunk.mean() < 0.8  # as torch draws them: about one over the square root of three


@pytest.mark.parametrize("feature_level", [True, False])
def test_an_unknown_modality_is_refused(feature_level):
    mapping = CrossModalMapping(["audio", "image"], 5, feature_level=feature_level)
    for ask in (mapping, mapping.map):
        with pytest.raises(ConfigError, match=r"no modality 'imgae'\. Did you mean 'image'\?"):
            ask("imgae", torch.randn(2, 5))


def test_no_gradient_reaches_the_weaker_modality():
    mapping = CrossModalMapping(["a", "b"], 5, tau=0.05)
    previous = torch.randn(4, 5, requires_grad=True)
    (mapping("a", torch.randn(4, 5), previous) ** 2).sum().backward()
    assert previous.grad is None
    total, _ = alignment_loss(previous, torch.randn(4, 5, requires_grad=True), torch.zeros(4).long(), torch.ones(4) > 0)
    total.backward()
    assert previous.grad is None


def naive_loss(previous, mapped, labels, valid, temperature):
    rows = np.flatnonzero(valid)
    total = 0.0
    for i in rows:
        scores = {k: np.corrcoef(previous[i], mapped[k])[0, 1] / temperature for k in rows}
        log_sum = np.log(sum(np.exp(s) for s in scores.values()))
        positives = [j for j in rows if labels[j] == labels[i]]
        total -= sum(scores[j] - log_sum for j in positives) / len(positives)
    return total


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), rows=st.integers(1, 9), temperature=st.sampled_from([0.1, 1.0]))
def test_the_loss_is_that_of_plain_loops(seed, rows, temperature):
    rng = np.random.default_rng(seed)
    previous, mapped = rng.normal(size=(2, rows, 5))
    labels, valid = rng.integers(0, 3, rows), rng.random(rows) < 0.7
    p, a, y, here = (torch.from_numpy(array) for array in (previous, mapped, labels, valid))
    total, count = alignment_loss(p, a, y, here, temperature)
    assert int(count) == valid.sum()
    assert float(total) == pytest.approx(naive_loss(previous, mapped, labels, valid, temperature), abs=1e-6)


@pytest.mark.parametrize("valid", [torch.zeros(4, dtype=torch.bool), torch.tensor([True, False, False, False])])
@pytest.mark.parametrize("zero", [False, True])
def test_gradients_stay_finite_with_next_to_nothing_valid(valid, zero):
    mapped = torch.randn(4, 5)
    if zero:  # absent rows are zeros, whose correlation is undefined
        mapped[~valid] = 0
    mapped.requires_grad_()
    total, count = alignment_loss(torch.zeros(4, 5), mapped, torch.tensor([0, 0, 1, 2]), valid)
    total.backward()
    assert int(count) == int(valid.sum())
    assert torch.isfinite(total) and mapped.grad is not None and torch.isfinite(mapped.grad).all()
    weights = alignment_weights(torch.zeros(4, 5), mapped, 0.5, valid)
    (weights @ mapped).sum().backward()
    assert mapped.grad is not None and torch.isfinite(mapped.grad).all()
