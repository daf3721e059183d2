from __future__ import annotations

import pytest
import torch
from torch import nn

from equimodal.errors import ConfigError
from equimodal.models.memory import Correction, CrossModalMemory
from synthetic import make_fusion, random_presence

HERE = {name: torch.ones(1, dtype=torch.bool) for name in "ab"}


def speak(fusion):
    """Let the memory say something."""
    nn.init.normal_((fusion.correction if hasattr(fusion, "correction") else fusion.refinement).output.weight)


def test_a_sample_that_lacks_the_modality_keeps_its_state():
    memory = CrossModalMemory(5)
    memory.inherit(torch.randn(5), torch.randn(5))
    present = torch.tensor([True, False, True, False])
    before = (torch.randn(4, 5), torch.randn(4, 5))
    h, c = memory(torch.randn(4, 5), before, present)
    assert torch.equal(h[~present], before[0][~present]) and torch.equal(c[~present], before[1][~present])
    assert not torch.allclose(h[present], before[0][present])


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_what_stands_at_an_absent_row_changes_nothing(name):
    options = {"tau": 0.05, "dropout": 0.0, "sample_level": True}
    fusion = make_fusion(name, ["a", "b", "c"], 5, 3, options)  # in training: aligned
    speak(fusion)
    present = random_presence("abc", 8)
    encodings = {name: torch.randn(8, 5) for name in "abc"}
    junk = {name: torch.where(present[name][:, None], z, 50 * torch.randn(8, 5)) for name, z in encodings.items()}
    something = torch.stack(list(present.values())).any(0)
    assert torch.allclose(fusion(encodings, present)[something], fusion(junk, present)[something], atol=1e-5)
    for x, y in zip(fusion.follow(encodings, present)[1], fusion.follow(junk, present)[1], strict=True):
        assert torch.allclose(x, y, atol=1e-6)


def test_at_the_start_the_papers_memory_adds_nothing_and_learns():
    torch.manual_seed(0)
    fusion = make_fusion("refined", ["a", "b", "c"], 5, 3, {"sample_level": True})
    late = make_fusion("late", ["a", "b", "c"], 5, 3, {"heads": "shared"})
    late.heads["shared"].load_state_dict(fusion.heads["shared"].state_dict())
    fusion.memory.inherit(torch.randn(5), torch.randn(5))
    present = random_presence("abc", 9)
    encodings = {name: torch.randn(9, 5) for name in "abc"}
    something = torch.stack(list(present.values())).any(0)
    logits = fusion(encodings, present)  # in training: dropout and alignment do nothing either
    assert torch.allclose(logits[something], late(encodings, present)[something], atol=1e-6)
    logits[something].square().sum().backward()
    assert fusion.refinement.output.weight.grad.abs().sum() > 0


def test_a_correction_keeps_the_size_of_what_it_reads_at_first():
    torch.manual_seed(0)
    correction = Correction(width=64, classes=3, hidden=4096)
    rows = torch.randn(200, 64)
    hidden = torch.relu(correction.of_representations(rows))  # He et al., 2015, equation 10: the mean square stays
    assert float(hidden.square().mean()) == pytest.approx(float(rows.square().mean()), rel=0.1)


def test_products_are_as_large_as_the_other_terms_at_first():
    torch.manual_seed(0)
    correction = Correction(width=64, classes=3, hidden=4096)
    first, second = torch.randn(2, 200, 64) / 2**0.5  # the sum of both has variance 1
    terms = correction.terms(first) + correction.terms(second)
    products = (correction.factors(first + second).square() - terms[:, 64:]) / 2
    assert torch.allclose(products, correction.factors(first) * correction.factors(second), atol=1e-4)
    sums = correction.of_representations(first + second)
    assert float(products.detach().std()) == pytest.approx(2**0.5 * float(sums.detach().std()), rel=0.1)


def test_a_correction_without_state_and_products_is_an_mlp_on_all_representations():
    """Each modality's map is a block of columns of one layer over their concatenation."""
    fusion = make_fusion("memory", ["a", "b"], 5, 3, {"hidden": 7}).eval()
    nn.init.zeros_(fusion.correction.of_state.weight)
    nn.init.zeros_(fusion.correction.factors.weight)
    here = {name: torch.ones(6, dtype=torch.bool) for name in "ab"}
    z = {name: torch.randn(6, 5) for name in "ab"}
    with torch.no_grad():
        B, maps = fusion.correction.of_representations.weight, fusion.mapping.maps
        mlp = nn.Sequential(nn.Linear(10, 7), nn.ReLU(), nn.Linear(7, 3, bias=False))
        mlp[0].weight.copy_(torch.cat([B @ maps[m].weight for m in "ab"], dim=1))
        mlp[0].bias.copy_(B @ (maps["a"].bias + maps["b"].bias) + fusion.correction.of_state.bias)
        mlp[2].weight.copy_(fusion.correction.output.weight)
        added, _ = fusion.added(z, here)
        assert torch.allclose(added, mlp(torch.cat([z["a"], z["b"]], dim=1)), atol=1e-5)
        assert added.abs().min() > 0  # it speaks from the start


def test_every_part_of_the_memory_learns_from_the_first_step():
    fusion = make_fusion("memory", ["a", "b", "c"], 5, 3, {})
    z = {name: torch.randn(40, 5, requires_grad=True) for name in "abc"}
    added, _ = fusion.added(z, {name: torch.ones(40, dtype=torch.bool) for name in "abc"})
    nn.functional.cross_entropy(added, torch.arange(40) % 3).backward()
    for part in (fusion.memory, fusion.correction, fusion.mapping):
        for key, parameter in part.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key
    for encoding in z.values():
        assert encoding.grad is not None and encoding.grad.abs().sum() > 0


def test_the_gain_scales_the_cells_initial_weights():
    torch.manual_seed(0)
    plain = CrossModalMemory(5)
    torch.manual_seed(0)
    for one, other in zip(CrossModalMemory(5, gain=3.0).parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, 3 * other)


def test_the_inherited_state_starts_every_sample_and_is_saved():
    memory = CrossModalMemory(4)
    assert memory.start(3)[0].tolist() == [[0.0] * 4] * 3
    memory.inherit(torch.arange(4.0), -torch.arange(4.0))
    again = CrossModalMemory(4)
    again.load_state_dict(memory.state_dict())
    for h in (memory, again):
        assert h.start(2)[0].tolist() == [[0.0, 1.0, 2.0, 3.0]] * 2
        assert h.start(2)[1].tolist() == [[0.0, -1.0, -2.0, -3.0]] * 2


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_the_order_is_saved_with_the_weights(name):
    fusion = make_fusion(name, ["a", "b", "c"], 4, 3, {})
    fusion.order = ["c", "a", "b"]
    again = make_fusion(name, ["a", "b", "c"], 4, 3, {})
    again.load_state_dict(fusion.state_dict())
    assert again.order == ("c", "a", "b")


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_the_order_decides_who_reads_whom(name):
    fusion = make_fusion(name, ["a", "b"], 4, 3, {"dropout": 0.0}).eval()
    speak(fusion)
    here = {name: torch.ones(3, dtype=torch.bool) for name in "ab"}
    encodings = {name: torch.randn(3, 4) for name in "ab"}
    one = fusion(encodings, here)
    fusion.order = ["b", "a"]
    assert not torch.allclose(one, fusion(encodings, here))


def test_a_modality_alone_gets_no_correction():
    fusion = make_fusion("memory", ["a", "b", "c"], 4, 3, {"dropout": 0.0}).eval()
    speak(fusion)
    encodings = {name: torch.randn(6, 4) for name in "abc"}
    present = {name: torch.tensor([name in row for row in ("a", "b", "c", "ab", "bc", "")]) for name in "abc"}
    fusion.memory.inherit(torch.randn(4), torch.randn(4))
    added, _ = fusion.added(encodings, present)
    assert added.abs().sum(1).bool().tolist() == [False, False, False, True, True, False]
    for i, name in enumerate("abc"):
        assert torch.equal(fusion(encodings, present)[i], fusion.heads["shared"](encodings[name])[i])


def test_the_strength_scales_outside_training_only():
    fusion = make_fusion("memory", ["a", "b"], 4, 3, {"dropout": 0.0})
    speak(fusion)
    encodings = {name: torch.randn(6, 4) for name in "ab"}
    present = {name: torch.ones(6, dtype=torch.bool) for name in "ab"}
    whole = fusion.eval()(encodings, present)
    with fusion.forgetting():
        pooled = fusion(encodings, present)
    fusion.strength.fill_(0.25)
    assert torch.allclose(fusion(encodings, present), pooled + 0.25 * (whole - pooled), atol=1e-6)
    assert torch.allclose(fusion.train()(encodings, present), whole, atol=1e-6)


def test_what_the_memory_reads_is_bounded_in_the_residual_form_alone():
    residual, refined = (make_fusion(name, ["a", "b"], 4, 3, {}) for name in ("memory", "refined"))
    read: dict = {}
    for fusion in (residual, refined):
        fusion.memory.cell.register_forward_hook(lambda _, inputs, __, fusion=fusion: read.update({fusion: inputs[0]}))
        fusion.eval().follow({name: 100 * torch.ones(1, 4).cumsum(1) for name in "ab"}, HERE)
    assert read[residual].abs().max() <= 1 < read[refined].abs().max()


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_a_fusion_made_without_memory_has_none_to_train(name):
    fusion = make_fusion(name, ["a", "b"], 4, 3, {"memory": False})
    assert not hasattr(fusion, "mapping")
    with pytest.raises(ConfigError, match="made with memory: false"):
        fusion.start(3)
