from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import ConfigError
from synthetic import make_fusion, random_presence


def made(n, samples=9, scale=7.0):
    """A fusion, encodings and presence."""
    names = [f"m{i}" for i in range(n)]
    fusion = make_fusion("cosine", names, 6, 3, {"scale": scale})
    present = random_presence(names, samples)
    encodings = {m: torch.randn(samples, 6) * present[m].unsqueeze(-1) for m in names}
    return fusion, encodings, present


def test_a_cosine_by_hand():
    fusion = make_fusion("cosine", ["a", "b"], 2, 2, {"scale": 10.0})
    with torch.no_grad():
        fusion.directions["a"].weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.1]]))
        fusion.directions["b"].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 0.0]]))
    here = torch.ones(1, dtype=torch.bool)
    encodings = {"a": torch.tensor([[3.0, 4.0]]), "b": torch.tensor([[5.0, 0.0]])}
    both = fusion(encodings, {"a": here, "b": here})
    assert both.tolist() == [pytest.approx([10 * (0.6 + 0.5**0.5), 10 * (0.8 - 1.0)], abs=1e-5)]
    alone = fusion(encodings, {"a": here, "b": ~here})  # the mean of one, times two
    assert alone.tolist() == [pytest.approx([12.0, 16.0], abs=1e-5)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 4), loud=st.floats(0.01, 1000), heavy=st.floats(0.01, 1000))
@torch.no_grad()
def test_no_norm_makes_a_modality_louder(seed, n, loud, heavy):
    torch.manual_seed(seed)
    fusion, encodings, present = made(n)
    before = fusion(encodings, present)
    assert before.abs().max() <= 7 * n + 1e-3
    encodings["m0"] = encodings["m0"] * loud
    fusion.directions["m1"].weight.mul_(heavy)
    assert torch.allclose(fusion(encodings, present), before, atol=1e-3)


def test_an_encoding_of_zeros_has_cosine_zero_and_gradients_stay_finite():
    fusion, encodings, present = made(2)
    present = {m: torch.ones(9, dtype=torch.bool) for m in present}
    encodings = {m: torch.zeros(9, 6, requires_grad=True) for m in encodings}
    logits = fusion(encodings, present)
    assert torch.equal(logits, torch.zeros(9, 3))
    logits.pow(2).sum().backward()
    assert all(z.grad is not None and torch.isfinite(z.grad).all() for z in encodings.values())


def test_directions_belong_to_their_modality_and_get_no_gradient_without_it():
    fusion, encodings, present = made(3)
    assert fusion.own_parts("m1") == [fusion.directions["m1"]]
    nobody = torch.zeros(9, dtype=torch.bool)
    fusion(encodings, {**present, "m1": nobody}).sum().backward()
    assert fusion.directions["m1"].weight.grad is None and fusion.directions["m0"].weight.grad is not None
    logits = fusion(encodings, dict.fromkeys(fusion.modalities, nobody))
    assert torch.isfinite(logits).all() and logits.shape == (9, 3)


@pytest.mark.parametrize("scale", [0, -1.0, "x", float("nan"), float("inf"), True, None])
def test_an_impossible_scale_is_named(scale):
    with pytest.raises(ConfigError, match=r"scale.*: .*got"):
        make_fusion("cosine", ["a", "b"], 4, 3, {"scale": scale})
