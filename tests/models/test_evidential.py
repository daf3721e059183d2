from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.models.classifier import Classifier
from equimodal.models.fusions.evidential import combined_support, log_expectation
from synthetic import linear_batch, linear_model, make_fusion

from .naive import dempster, expected, opinion

SEEDS = st.integers(0, 9999)
SIZES = st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e3])


def evidence_of(seed, n, classes, size):
    """Evidence (n, 5, C) of all sizes up to about `size`, some of it 0."""
    torch.manual_seed(seed)
    return torch.relu(torch.randn(n, 5, classes, dtype=torch.float64)) * size


def together(*evidence):
    """The evidence that the package's rule makes of several."""
    stacked = torch.stack(evidence)
    return stacked.shape[-1] * combined_support(stacked, torch.ones(stacked.shape[:2], dtype=torch.bool)).expm1()


def reading_off(names, classes):
    """A fusion whose heads say the encodings themselves."""
    fusion = make_fusion("evidential", list(names), classes, classes, {})
    with torch.no_grad():
        for head in fusion.heads.values():
            head.weight.copy_(torch.eye(classes))
            head.bias.zero_()
    return fusion


def test_two_modalities_by_hand():
    """Evidence (2, 0) and (4, 2): opinions (1/2, 0; 1/2) and (1/2, 1/4; 1/4), K = 1/8, so (5/7, 1/7; 1/7)."""

    def inverse_softplus(e):
        return math.log(math.expm1(e)) if e else -200.0

    fusion = reading_off("ab", 2)
    encodings = {
        "a": torch.tensor([[inverse_softplus(2), inverse_softplus(0)]]),
        "b": torch.tensor([[inverse_softplus(4), inverse_softplus(2)]]),
    }
    here = torch.ones(1, dtype=torch.bool)
    both = fusion(encodings, {"a": here, "b": here})
    assert both.softmax(1).tolist() == [pytest.approx([5 / 7 + 1 / 14, 1 / 7 + 1 / 14], abs=1e-6)]
    assert torch.allclose(both.exp(), both.softmax(1))  # the logits are logarithms of probabilities
    alone = fusion(encodings, {"a": here, "b": ~here})
    assert alone.exp().tolist() == [pytest.approx([3 / 4, 1 / 4], abs=1e-6)]


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 6), classes=st.integers(2, 8), size=SIZES)
def test_the_sum_of_supports_is_dempsters_rule_taken_pair_by_pair(seed, n, classes, size):
    """By exact fractions: in floating point, pairs in conflict lose digits to 1 - K."""
    evidence = evidence_of(seed, n, classes, size)[:, :2]
    support = combined_support(evidence, torch.ones(n, 2, dtype=torch.bool))
    for row in range(2):
        opinions = [opinion([Fraction(e) for e in each]) for each in evidence[:, row].tolist()]
        beliefs, uncertainty = functools.reduce(dempster, opinions)
        total = support[row].exp().sum() - classes + 1  # masses are as exp(s) - 1 and 1
        assert math.isclose(1 / total, uncertainty, rel_tol=1e-9)
        assert np.allclose(support[row].expm1() / total, [float(b) for b in beliefs], atol=1e-12)
        assert np.allclose(log_expectation(support[row]).exp(), expected((beliefs, uncertainty)), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, classes=st.integers(2, 12), size=SIZES)
def test_the_combination_is_associative_and_commutative(seed, classes, size):
    a, b, c = evidence_of(seed, 3, classes, size)
    whole = together(a, b, c)
    assert torch.allclose(together(together(a, b), c), whole, rtol=1e-9, atol=1e-9)
    assert torch.allclose(together(a, together(b, c)), whole, rtol=1e-9, atol=1e-9)
    for order in itertools.permutations((a, b, c)):
        assert torch.allclose(together(*order), whole, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(2, 6), classes=st.integers(2, 12), size=SIZES)
def test_the_vacuous_opinion_is_neutral_and_an_absent_modality_gives_it(seed, n, classes, size):
    evidence = evidence_of(seed, n, classes, size)
    vacuous = torch.zeros_like(evidence[0])
    assert torch.equal(together(evidence[0], vacuous), together(evidence[0]))
    assert torch.allclose(together(evidence[0], vacuous), evidence[0], rtol=1e-9)
    mask = torch.rand(n, 5) < 0.5
    absent = combined_support(evidence, mask)
    silent = combined_support(torch.where(mask.unsqueeze(-1), evidence, 0.0), torch.ones(n, 5, dtype=torch.bool))
    assert torch.equal(absent, silent)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, size=SIZES)
def test_agreement_lowers_uncertainty_and_conflict_takes_certainty_back(seed, size):
    e = float(evidence_of(seed, 1, 2, size).max()) + 1e-3
    one, other = torch.tensor([[e, 0.0, 0.0]]), torch.tensor([[0.0, e, 0.0]])
    alone, agreed, at_odds = (
        log_expectation((each / 3).log1p()).exp()[0, 0] for each in (one, together(one, one), together(one, other))
    )
    assert agreed > alone > at_odds


@pytest.mark.parametrize("n", [2, 6])
@pytest.mark.parametrize("classes", [2, 100])
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("signs", ["same", "mixed"])
def test_extreme_logits_give_finite_losses_and_gradients(n, classes, size, signs):
    names = [f"m{i}" for i in range(n)]
    fusion = reading_off(names, classes)
    pattern = torch.ones(4, classes) if signs == "same" else torch.randn(4, classes).sign()
    z = {name: (size * pattern * (-1) ** i).requires_grad_() for i, name in enumerate(names)}
    present = {name: torch.tensor([True, True, False, i == 0]) for i, name in enumerate(names)}
    logits = fusion(z, present)
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(4) % classes)
    gradients = torch.autograd.grad(loss, [*z.values(), *fusion.parameters()])
    assert logits.isfinite().all() and loss.isfinite()
    assert torch.allclose(logits.exp().sum(1), torch.ones(4), atol=1e-4)
    assert all(gradient.isfinite().all() for gradient in gradients)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, classes=st.sampled_from([2, 10, 100, 1000]), size=st.sampled_from([1e-6, 1e-3, 1.0, 1e4, 1e9]))
def test_float32_agrees_with_float64(seed, classes, size):
    evidence = evidence_of(seed, 6, classes, size)
    mask = torch.ones(6, 5, dtype=torch.bool)
    exact = log_expectation(combined_support(evidence, mask))
    assert torch.allclose(
        log_expectation(combined_support(evidence.float(), mask)).double(), exact, rtol=1e-5, atol=1e-5
    )


def test_gradients_are_those_of_finite_differences():
    z = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, True, False], [True, False, True, False], [True, True, False, False]])

    def logits(values):
        return log_expectation(combined_support(torch.nn.functional.softplus(values), mask))

    assert torch.autograd.gradcheck(logits, (z,))


def test_every_head_is_moved_and_an_absent_modalitys_is_not():
    names = ["a", "b", "c"]
    fusion = make_fusion("evidential", names, 4, 3, {})
    encodings = {name: torch.randn(6, 4) for name in names}
    present = {"a": torch.ones(6) > 0, "b": torch.arange(6) < 3, "c": torch.zeros(6) > 0}
    torch.nn.functional.cross_entropy(fusion(encodings, present), torch.arange(6) % 3).backward()
    for name in "ab":
        assert fusion.heads[name].weight.grad.norm() > 0
        assert fusion.own_parts(name) == [fusion.heads[name]]
    assert fusion.heads["c"].weight.grad is None


@torch.no_grad()
def test_nothing_present_is_no_opinion():
    fusion = make_fusion("evidential", ["a", "b"], 4, 5, {})
    nowhere = torch.zeros(3, dtype=torch.bool)
    logits = fusion({"a": torch.randn(3, 4), "b": torch.randn(3, 4)}, {"a": nowhere, "b": nowhere})
    assert torch.allclose(logits, torch.full((3, 5), -math.log(5)))


@torch.no_grad()
def test_a_saved_specification_gives_the_same_fusion_back():
    model = linear_model(fusion="evidential")
    assert model.specification()["fusion"] == {"name": "evidential", "options": {}}
    again = Classifier.from_specification(model.specification(), dict(model.encoders))
    again.load_state_dict(model.state_dict())
    batch = linear_batch()
    assert torch.equal(again(batch), model(batch))
