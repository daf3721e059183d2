from __future__ import annotations

import pytest
import torch
from torch import nn

from equimodal.methods.gradients import added, encoder_owners, encoder_parameters, own_logits
from equimodal.models.classifier import Classifier
from synthetic import CLASSES, linear_batch, linear_model

NAMES = ("a", "b", "c")


def test_the_parts_of_concat_add_up_to_its_logits():
    model = linear_model(NAMES, fusion="concat").eval()
    encodings = model.encode(linear_batch(NAMES))
    everyone = {name: torch.ones(10, dtype=torch.bool) for name in NAMES}
    total = torch.stack([own_logits(model, encodings, name) for name in NAMES]).sum(0)
    assert torch.allclose(total, model.fusion(encodings, everyone), atol=1e-6)
    first = encodings["a"] @ model.fusion.head.weight[:, : model.width].T + model.fusion.head.bias / 3
    assert torch.allclose(own_logits(model, encodings, "a"), first, atol=1e-6)


@pytest.mark.parametrize("heads", ["own", "shared"])
def test_the_parts_of_late_fusion_are_what_it_says_with_one_modality(heads):
    model = linear_model(NAMES, fusion="late", fusion_options={"heads": heads})
    batch = linear_batch(NAMES, probability=1.1)
    encodings = model.encode(batch)
    for name in NAMES:
        assert torch.allclose(own_logits(model, encodings, name), model(batch.restrict({name})), atol=1e-6)


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "late"])
def test_an_encoder_is_all_that_leads_to_the_encoding(fusion):
    """The map to the common width is of it, whatever the tensors' rank; the fusion's own parts are not."""
    convolution = nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.LayerNorm(4))
    model = Classifier({"a": convolution, "b": nn.Linear(4, 6)}, CLASSES, width=6, widths={"a": 4}, fusion=fusion)
    found = encoder_parameters(model, "a")
    expected = [*convolution.parameters(), *model.projections["a"].parameters()]
    assert [id(p) for p in found] == [id(p) for p in expected]
    assert {p.ndim for p in found} == {1, 2, 3}


def test_a_shared_encoder_has_both_owners():
    one = nn.Linear(4, 6)
    model = Classifier({"a": one, "b": nn.Linear(4, 6), "c": one}, CLASSES, width=6, fusion="late")
    owners = encoder_owners(model)
    assert [owners[p] for p in one.parameters()] == [("a", "c")] * 2
    assert len(owners) == 4


def test_adding_up_leaves_the_addends_as_they_were():
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    first, second = {p: torch.ones(2)}, {p: torch.ones(2), q: torch.full((2,), 3.0)}
    total = added([first, second, {}])
    assert total[p].tolist() == [2, 2] and total[q].tolist() == [3, 3]
    assert first[p].tolist() == second[p].tolist() == [1, 1]
