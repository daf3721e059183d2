from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.models.classifier import Classifier
from equimodal.models.fusions.quality import quality_shares
from synthetic import linear_batch, linear_model, make_fusion

BOTH = torch.ones(2, 1, dtype=torch.bool)


def reading_off(combine="mean", classes=2, names=("a", "b")):
    """A fusion whose heads say the encodings themselves."""
    fusion = make_fusion("quality", list(names), classes, classes, {"combine": combine})
    with torch.no_grad():
        for head in fusion.heads.values():
            head.weight.copy_(torch.eye(classes))
            head.bias.zero_()
    return fusion


@pytest.mark.parametrize(("combine", "over"), [("mean", math.log(8) + math.log(4)), ("sum", 10)])
def test_two_modalities_by_hand(combine, over):
    """exp(z) = (6, 1) and (1, 2): weights log 8 and log 4, which stand 3 to 2."""
    encodings = {"a": torch.tensor([[6.0, 1.0]]).log(), "b": torch.tensor([[1.0, 2.0]]).log()}
    here = torch.ones(1, dtype=torch.bool)
    fusion = reading_off(combine)
    expected = [math.log(8) * math.log(6) / over, math.log(4) * math.log(2) / over]
    assert fusion(encodings, {"a": here, "b": here}).tolist() == [pytest.approx(expected, abs=1e-6)]
    alone = fusion(encodings, {"a": ~here, "b": here})
    of_b = 1 if combine == "mean" else math.log(4) / 10
    assert alone.tolist() == [pytest.approx([0.0, of_b * math.log(2)], abs=1e-6)]


def test_weights_carry_no_gradient():
    """The logits' derivative by a modality's is its share, as if the weights were numbers."""
    z = {name: torch.randn(5, 2, requires_grad=True) for name in "ab"}
    here = dict.fromkeys("ab", torch.ones(5, dtype=torch.bool))
    fusion = reading_off()
    gradients = torch.autograd.grad(fusion(z, here)[:, 0].sum(), [z["a"], z["b"]])
    shares = quality_shares(torch.stack([z["a"], z["b"]]), torch.ones(2, 5, dtype=torch.bool))
    for gradient, share in zip(gradients, shares, strict=True):
        assert torch.allclose(gradient, torch.stack([share, torch.zeros(5)], dim=1), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 6), classes=st.integers(2, 12), scale=st.floats(0, 1e4))
def test_shares_add_up_over_those_present_in_the_order_of_their_energies(seed, n, classes, scale):
    torch.manual_seed(seed)
    logits, mask = scale * torch.randn(n, 10, classes), torch.rand(n, 10) < 0.6
    shares = quality_shares(logits, mask)
    some = mask.any(0)
    assert torch.allclose(shares.sum(0), torch.ones(10), atol=1e-5)
    assert (shares[:, some][~mask[:, some]] == 0).all()
    energy = np.where(mask, np.logaddexp.reduce(logits.double().numpy(), axis=-1), np.nan)
    for row in some.nonzero().flatten().tolist():
        order = np.argsort(energy[:, row])[: int(mask[:, row].sum())]
        assert (np.diff(shares[order, row].numpy()) >= -1e-6).all()


@pytest.mark.parametrize("shift", [-1e4, -150.0, -25.0, -20.0, -19.0, -5.0, 0.0, 30.0, 1e4])
def test_shares_are_right_however_low_the_energies(shift):
    """Two energies log 2 apart, checked in float64, by their limit where even that goes under."""
    logits = torch.tensor([[[0.0, 0.0]], [[math.log(2), math.log(2)]]]) + shift
    e = np.array([math.log(2), math.log(4)]) + shift
    weights = np.array([1.0, 2.0]) if shift < -100 else np.logaddexp(0, e)
    got = quality_shares(logits, BOTH).flatten().numpy()
    # The logits themselves are only float32: at -1e4 they are log 2 apart to .001.
    assert np.allclose(got, weights / weights.sum(), atol=1e-3 if abs(shift) > 1000 else 1e-5)


@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("other", [1e4, -1e4, 0.0])
def test_extreme_logits_give_finite_losses_and_gradients(combine, size, other):
    fusion = reading_off(combine, classes=3)
    z = {"a": torch.tensor([[size, 0.0, -size], [size] * 3]), "b": torch.tensor([[other] * 3, [0.0, other, 0.0]])}
    z = {name: value.requires_grad_() for name, value in z.items()}
    present = {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])}
    loss = torch.nn.functional.cross_entropy(fusion(z, present), torch.tensor([2, 0]))
    gradients = torch.autograd.grad(loss, [*z.values(), *fusion.parameters()])
    assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_every_head_is_moved_and_an_absent_modalitys_is_not(combine):
    names = ["a", "b", "c"]
    fusion = make_fusion("quality", names, 4, 3, {"combine": combine})
    with torch.no_grad():
        fusion.heads["b"].bias.fill_(-3.0)  # an energy below 0 has its share too
    encodings = {name: torch.randn(6, 4) for name in names}
    present = {"a": torch.ones(6) > 0, "b": torch.arange(6) < 3, "c": torch.zeros(6) > 0}
    torch.nn.functional.cross_entropy(fusion(encodings, present), torch.arange(6) % 3).backward()
    for name in "ab":
        assert fusion.heads[name].weight.grad.norm() > 0
        assert fusion.own_parts(name) == [fusion.heads[name]]
    assert fusion.heads["c"].weight.grad is None


@torch.no_grad()
def test_a_saved_specification_gives_the_same_fusion_back():
    model = linear_model(fusion="quality", fusion_options={"combine": "sum"})
    assert model.specification()["fusion"] == {"name": "quality", "options": {"combine": "sum"}}
    again = Classifier.from_specification(model.specification(), dict(model.encoders))
    again.load_state_dict(model.state_dict())
    batch = linear_batch()
    assert torch.equal(again(batch), model(batch))
