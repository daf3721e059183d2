"""Weights and checkpoints as files: what is read is what was written, and a damaged file says so."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from equimodal.errors import RunError
from equimodal.training.checkpoint import (
    load_optimiser_tensors,
    load_tensors,
    optimiser_tensors,
    save_tensors,
    under_prefix,
    with_prefix,
)


def test_tensors_of_every_kind_and_metadata_come_back(tmp_path):
    path = tmp_path / "new" / "state.safetensors"
    whole = torch.randn(4, 6)
    tensors = {
        "half": torch.randn(3).bfloat16(),
        "double": torch.randn(2, 2, dtype=torch.float64),
        "scalar": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "not a number": torch.tensor([float("nan"), float("inf")]),
        "transposed": whole.T,
        "column": whole[:, 1],
        "trained": nn.Parameter(torch.randn(2)),
    }
    metadata = {"epoch": 3, "score": [0.1, None], "é/ü": {"deep": "yes"}}
    save_tensors(path, tensors, metadata)
    found, meta = load_tensors(path)
    assert meta == metadata
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        assert torch.equal(found[name].nan_to_num(), tensor.detach().nan_to_num()), name


def test_tied_weights_are_written_under_each_name(tmp_path):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    save_tensors(tmp_path / "tied.safetensors", model.state_dict(), {})
    found, _ = load_tensors(tmp_path / "tied.safetensors")
    assert found.keys() == model.state_dict().keys()
    assert torch.equal(found["0.weight"], first.weight) and torch.equal(found["1.weight"], first.weight)
    assert not torch.equal(found["0.bias"], found["1.bias"])


@settings(max_examples=40)
@given(share=st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_told(tmp_path_factory, share):
    path = tmp_path_factory.mktemp("cut") / "state.safetensors"
    save_tensors(path, {"weight": torch.randn(20)}, {"epoch": 1})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunError, match=re.escape(f"{path}: cannot be read, it is damaged or cut short")):
        load_tensors(path)


def test_no_file_and_a_foreign_one(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        load_tensors(tmp_path / "none.safetensors")
    with pytest.raises(RunError, match="no such file"):
        load_tensors(tmp_path)
    save_file({"weight": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(RunError, match="was not written by equimodal"):
        load_tensors(tmp_path / "foreign.safetensors")
    save_file({"weight": torch.ones(1)}, tmp_path / "foreign.safetensors", metadata={"equimodal": "{"})
    with pytest.raises(RunError, match="header is damaged"):
        load_tensors(tmp_path / "foreign.safetensors")


def test_any_reader_of_safetensors_can_read_it(tmp_path):
    save_tensors(tmp_path / "state.safetensors", {"weight": torch.arange(3.0)}, {})
    assert load_file(tmp_path / "state.safetensors")["weight"].tolist() == [0, 1, 2]


def make_trained(kind, steps, restored=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    parameters = dict(model.named_parameters())
    if kind == "adamw":
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    else:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    if restored is not None:
        weights, state = restored
        model.load_state_dict(weights)
        load_optimiser_tensors(optimiser, state, parameters)
    for step in range(*steps):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        (model(x) if step % 2 else model[0](x)).square().mean().backward()  # the second layer has no state at first
        optimiser.step()
    names = {id(parameter): name for name, parameter in parameters.items()}
    return model.state_dict(), optimiser_tensors(optimiser, names)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_an_optimiser_goes_on_from_its_file_to_the_bit(tmp_path, kind, cut):
    whole, state = make_trained(kind, (0, 5))
    weights, before = make_trained(kind, (0, cut))
    assert any(name.startswith("1.") for name in before) == (cut > 1)
    save_tensors(tmp_path / "state.safetensors", before, {})
    resumed, after = make_trained(kind, (cut, 5), (weights, load_tensors(tmp_path / "state.safetensors")[0]))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert state.keys() == after.keys() and all(torch.equal(state[name], after[name]) for name in state)


def test_prefixes_keep_names_apart():
    one, other = {"a": torch.ones(1), "b/c": torch.ones(2)}, {"a": torch.zeros(1)}
    both = with_prefix("model", one) | with_prefix("model2", other)
    assert under_prefix("model", both) == one
    assert under_prefix("model2", both) == other
