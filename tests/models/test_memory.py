from __future__ import annotations

import torch
from torch import nn

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


def test_what_stands_at_an_absent_row_changes_nothing():
    fusion = make_fusion("memory", ["a", "b", "c"], 5, 3, {"tau": 0.05, "dropout": 0.0})  # in training: aligned
    nn.init.normal_(fusion.memory.refinement.weight)
    present = random_presence("abc", 8)
    encodings = {name: torch.randn(8, 5) for name in "abc"}
    junk = {name: torch.where(present[name][:, None], z, 50 * torch.randn(8, 5)) for name, z in encodings.items()}
    something = torch.stack(list(present.values())).any(0)
    for one, other in zip((fusion.run(encodings, present)), fusion.run(junk, present), strict=True):
        for x, y in zip(*((one, other) if isinstance(one, tuple) else ((one,), (other,))), strict=True):
            assert torch.allclose(x[something], y[something], atol=1e-6)


def test_at_the_start_the_memory_adds_nothing():
    torch.manual_seed(0)
    fusion = make_fusion("memory", ["a", "b", "c"], 5, 3, {})
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
    assert fusion.memory.refinement.weight.grad.abs().sum() > 0  # and yet it learns


def test_the_inherited_state_starts_every_sample_and_is_saved():
    memory = CrossModalMemory(4)
    assert memory.start(3)[0].tolist() == [[0.0] * 4] * 3
    memory.inherit(torch.arange(4.0), -torch.arange(4.0))
    again = CrossModalMemory(4)
    again.load_state_dict(memory.state_dict())
    for h in (memory, again):
        assert h.start(2)[0].tolist() == [[0.0, 1.0, 2.0, 3.0]] * 2
        assert h.start(2)[1].tolist() == [[0.0, -1.0, -2.0, -3.0]] * 2


def test_the_order_is_saved_with_the_weights():
    fusion = make_fusion("memory", ["a", "b", "c"], 4, 3, {})
    fusion.order = ["c", "a", "b"]
    again = make_fusion("memory", ["a", "b", "c"], 4, 3, {})
    again.load_state_dict(fusion.state_dict())
    assert again.order == ("c", "a", "b")


def test_the_order_decides_who_reads_whom():
    fusion = make_fusion("memory", ["a", "b"], 4, 3, {"dropout": 0.0}).eval()
    nn.init.normal_(fusion.memory.refinement.weight)
    here = {name: torch.ones(3, dtype=torch.bool) for name in "ab"}
    encodings = {name: torch.randn(3, 4) for name in "ab"}
    one = fusion(encodings, here)
    fusion.order = ["b", "a"]
    assert not torch.allclose(one, fusion(encodings, here))
