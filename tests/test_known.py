"""Tensors whose values the host knows: what is known, what is not, and that both are the same numbers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from equimodal.batch import Batch, uploaded
from equimodal.known import Arriving, HostBuffers, Known, known, upload

MASK = torch.tensor([True, False, True, True])
OTHER = torch.tensor([True, True, False, True])
LABELS = torch.tensor([0, 2, 2, 1])


class Elsewhere(Known):
    """A known tensor of the CPU, which stands for a device that does compute."""


def elsewhere(values: Tensor) -> Tensor:
    return Elsewhere(values, torch.device("cpu"))


KNOWN_OF_KNOWN: dict[str, Any] = {
    "and": lambda a, b, y: a & b,
    "not": lambda a, b, y: ~a | b,
    "stacked": lambda a, b, y: torch.stack([a, b]).sum(0) >= 2,
    "any": lambda a, b, y: torch.stack([a, b]).any(1),
    "unbound": lambda a, b, y: torch.stack([a, b]).unbind()[1],
    "iterated": lambda a, b, y: next(iter(torch.stack([a, b]))),
    "rows": lambda a, b, y: a.nonzero().squeeze(1),
    "counted": lambda a, b, y: y[a].bincount(minlength=4),
    "distinct": lambda a, b, y: torch.unique(torch.stack([y, y]), dim=1, return_inverse=True)[1],
    "type": lambda a, b, y: a.unsqueeze(-1).to(torch.float64) + y.double().unsqueeze(-1),
    "type, where it is": lambda a, b, y: a.to(a.device, torch.int64) + y.to(device=y.device, dtype=torch.float64),
    "moved to where it is": lambda a, b, y: a.to(a.device, non_blocking=True) & b.to(device=str(b.device)),
    "expanded": lambda a, b, y: a.expand(2, 4).repeat(1, 2).flatten(),
    "zeros": lambda a, b, y: torch.zeros_like(y, dtype=torch.bool).scatter_(0, y, True),
    "chosen": lambda a, b, y: torch.where(a, y, 7).clamp(min=1),
    "largest": lambda a, b, y: torch.stack([y, 2 * y]).max(0).values,
    "copied": lambda a, b, y: copy.deepcopy(a),
}

DEVICE_OF_BOTH: dict[str, Any] = {
    "indexed": lambda a, b, y, x: x[a],
    "indexed by two": lambda a, b, y, x: x.T[:, a & b],
    "indexed by a table": lambda a, b, y, x: torch.stack([x, x])[torch.stack([a, b])],
    "numbered": lambda a, b, y, x: x[torch.arange(4), y],
    "where": lambda a, b, y, x: torch.where(a.unsqueeze(1), x, 0.0),
    "mean": lambda a, b, y, x: x[a].sum() / a.sum(),
    "loss": lambda a, b, y, x: torch.nn.functional.cross_entropy(x, y, reduction="none"),
    "gathered": lambda a, b, y, x: x.gather(1, y.unsqueeze(1)),
    "put": lambda a, b, y, x: torch.zeros_like(x).index_put((a,), x[a]),
    "set": lambda a, b, y, x: _set(torch.zeros_like(x), a, x[a]),
    "added": lambda a, b, y, x: _add(x.clone(), a, 1.0),
    "both": lambda a, b, y, x: a & (x[:, 0] > 0),
}


def _set(x: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    x[rows] = values
    return x


def _add(x: Tensor, rows: Tensor, value: float) -> Tensor:
    x[rows] += value
    return x


@pytest.mark.parametrize("case", KNOWN_OF_KNOWN)
def test_what_is_made_of_known_tensors_is_known(case):
    plain = KNOWN_OF_KNOWN[case](MASK, OTHER, LABELS)
    found = KNOWN_OF_KNOWN[case](*(known(values, "meta") for values in (MASK, OTHER, LABELS)))
    assert isinstance(found, Known) and found.device.type == "meta"
    assert found.dtype == plain.dtype and found.shape == plain.shape
    assert torch.equal(found.cpu(), plain)


@pytest.mark.parametrize("case", DEVICE_OF_BOTH)
def test_with_a_tensor_of_the_device_the_values_are_what_they_would_be(case):
    x = torch.randn(4, 4)
    plain = DEVICE_OF_BOTH[case](MASK, OTHER, LABELS, x)
    found = DEVICE_OF_BOTH[case](*(elsewhere(values) for values in (MASK, OTHER, LABELS)), x)
    assert type(found) is Tensor and torch.equal(found, plain)
    there = DEVICE_OF_BOTH[case](*(known(values, "meta") for values in (MASK, OTHER, LABELS)), x.to("meta"))
    assert type(there) is Tensor and there.device.type == "meta" and there.shape == plain.shape


@pytest.mark.parametrize("case", ["indexed", "where", "mean", "loss", "put"])
def test_gradients_are_what_they_would_be(case):
    gradients = []
    x = torch.randn(4, 4)
    for make in (lambda values: values, elsewhere):
        leaf = x.clone().requires_grad_()
        DEVICE_OF_BOTH[case](*(make(values) for values in (MASK, OTHER, LABELS)), leaf).square().sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def test_a_question_is_answered_by_the_host():
    mask, labels = known(MASK, "meta"), known(LABELS, "meta")
    assert bool(mask.any()) and not mask.all() and int(mask.sum()) == 3 and mask.tolist() == MASK.tolist()
    assert float(labels.double().mean()) == 1.25 and labels[1].item() == 2 and len(mask) == 4
    assert mask.cpu().numpy().tolist() == MASK.tolist() and "True" in repr(mask)


def test_a_change_in_place_is_known_and_seen_there():
    mask = elsewhere(MASK.clone())
    x = torch.ones(4)
    assert torch.where(mask, x, 0.0).tolist() == [1, 0, 1, 1]  # its values have been uploaded
    mask &= elsewhere(OTHER)
    assert mask.tolist() == [True, False, False, True] and torch.where(mask, x, 0.0).tolist() == [1, 0, 0, 1]
    mask[0] = False
    assert isinstance(mask, Known) and torch.where(mask, x, 0.0).tolist() == [0, 0, 0, 1]
    mask[1:].logical_not_()  # through a view
    assert torch.where(mask, x, 0.0).tolist() == [0, 1, 1, 0]
    mask |= x > 0  # with what only the device knows: it is asked
    assert isinstance(mask, Known) and mask.all()


def test_a_change_of_the_copy_does_not_reach_the_values():
    values = MASK.clone()
    known(values, "meta").cpu().fill_(False)
    assert torch.equal(values, MASK)


def test_tensors_of_the_cpu_are_as_they_were():
    assert known(MASK, "cpu") is MASK and type(upload(MASK, torch.device("cpu"))) is Tensor
    batch = Batch({"a": torch.zeros(4, 2)}, {"a": MASK}, LABELS, torch.arange(4))
    (same,) = uploaded([batch], torch.device("cpu"))
    assert same.present["a"] is MASK and same.inputs["a"] is batch.inputs["a"] and same.labels is LABELS


def test_a_batch_elsewhere_is_known_but_for_its_inputs():
    inputs = {"a": torch.zeros(4, 2), "b": {"ids": torch.zeros(4, 3)}}
    batch = Batch(inputs, {"a": MASK, "b": OTHER}, LABELS, torch.arange(4), {"a": LABELS}).to("meta")
    for tensor in (batch.present["a"], batch.labels, batch.lengths["a"], batch.anything):
        assert isinstance(tensor, Known)
    assert type(batch.inputs["a"]) is type(batch.inputs["b"]["ids"]) is type(batch.ids) is Tensor  # pyright: ignore
    assert batch.restrict({"b"}).anything.tolist() == OTHER.tolist()
    again = batch.to("meta")
    assert isinstance(again.present["a"], Known) and again.present["a"].tolist() == MASK.tolist()


def test_buffers_that_the_host_reads_stay_there():
    class Counting(HostBuffers):
        hosted = ("count",)

        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.tensor(3.0))
            self.register_buffer("mean", torch.zeros(2))

    module = torch.nn.Sequential(Counting()).to("meta")
    count, mean = module.buffers()
    assert count.item() == 3 and mean.device.type == "meta"
    assert list(module.state_dict()) == ["0.count", "0.mean"]
    module.load_state_dict({"0.count": torch.tensor(5.0)}, strict=False)
    assert count.item() == 5


def test_what_arrives_is_what_there_is_now():
    values = torch.zeros(2)
    coming = Arriving(values)
    assert coming.read().tolist() == [0, 0]
    values += 1
    assert coming.read().tolist() == [1, 1]
