from __future__ import annotations

import pytest
import torch
from torch import nn

from equimodal.errors import ConfigError
from equimodal.models.memory import CrossModalMemory
from synthetic import make_fusion, random_presence


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
    nn.init.normal_(fusion.memory.output.weight)
    present = random_presence("abc", 8)
    encodings = {name: torch.randn(8, 5) for name in "abc"}
    junk = {name: torch.where(present[name][:, None], z, 50 * torch.randn(8, 5)) for name, z in encodings.items()}
    something = torch.stack(list(present.values())).any(0)
    assert torch.allclose(fusion(encodings, present)[something], fusion(junk, present)[something], atol=1e-5)
    for x, y in zip(fusion.follow(encodings, present)[1], fusion.follow(junk, present)[1], strict=True):
        assert torch.allclose(x, y, atol=1e-6)


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_at_the_start_the_memory_adds_nothing(name):
    torch.manual_seed(0)
    fusion = make_fusion(name, ["a", "b", "c"], 5, 3, {"sample_level": True})
    late = make_fusion("late", ["a", "b", "c"], 5, 3, {"heads": "shared"})
    late.heads["shared"].load_state_dict(fusion.heads["shared"].state_dict())
    fusion.memory.inherit(torch.randn(5), torch.randn(5))
    present = random_presence("abc", 9)
    encodings = {name: torch.randn(9, 5) for name in "abc"}
    something = torch.stack(list(present.values())).any(0)
    logits = fusion(encodings, present)  # in training: dropout and alignment do nothing either
    assert torch.allclose(logits[something], late(encodings, present)[something], atol=1e-6)
    loss = logits[something].square().sum()
    loss.backward()
    assert fusion.memory.output.weight.grad.abs().sum() > 0  # and yet it learns


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
    nn.init.normal_(fusion.memory.output.weight)
    here = {name: torch.ones(3, dtype=torch.bool) for name in "ab"}
    encodings = {name: torch.randn(3, 4) for name in "ab"}
    one = fusion(encodings, here)
    fusion.order = ["b", "a"]
    assert not torch.allclose(one, fusion(encodings, here))


def test_a_modality_alone_gets_no_correction():
    fusion = make_fusion("memory", ["a", "b", "c"], 4, 3, {"dropout": 0.0}).eval()
    nn.init.normal_(fusion.memory.output.weight)
    encodings = {name: torch.randn(6, 4) for name in "abc"}
    present = {name: torch.tensor([name in row for row in ("a", "b", "c", "ab", "bc", "")]) for name in "abc"}
    fusion.memory.inherit(torch.randn(4), torch.randn(4))
    added, _ = fusion.correction(encodings, present)
    assert added.abs().sum(1).bool().tolist() == [False, False, False, True, True, False]
    for i, name in enumerate("abc"):
        assert torch.equal(fusion(encodings, present)[i], fusion.heads["shared"](encodings[name])[i])


def test_the_strength_scales_outside_training_only():
    fusion = make_fusion("memory", ["a", "b"], 4, 3, {"dropout": 0.0})
    nn.init.normal_(fusion.memory.output.weight)
    encodings = {name: torch.randn(6, 4) for name in "ab"}
    present = {name: torch.ones(6, dtype=torch.bool) for name in "ab"}
    whole = fusion.eval()(encodings, present)
    with fusion.forgetting():
        pooled = fusion(encodings, present)
    fusion.strength.fill_(0.25)
    assert torch.allclose(fusion(encodings, present), pooled + 0.25 * (whole - pooled), atol=1e-6)
    assert torch.allclose(fusion.train()(encodings, present), whole, atol=1e-6)


def test_what_the_memory_reads_is_bounded_in_the_residual_form():
    residual, refined = (make_fusion(name, ["a", "b"], 4, 3, {}) for name in ("memory", "refined"))
    z = 100 * torch.randn(3, 4)
    assert torch.allclose(residual.mapping.map("a", z), residual.mapping.maps["a"](z).tanh())
    assert torch.equal(refined.mapping.map("a", z), refined.mapping.maps["a"](z))


@pytest.mark.parametrize("name", ["memory", "refined"])
def test_a_fusion_made_without_memory_has_none_to_train(name):
    fusion = make_fusion(name, ["a", "b"], 4, 3, {"memory": False})
    assert not hasattr(fusion, "mapping")
    with pytest.raises(ConfigError, match="made with memory: false"):
        fusion.start(3)
