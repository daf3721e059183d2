"""Run a method's updates as the loop does, and the plain PyTorch that they are compared with."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.config.run import TrainingConfig
from equimodal.methods.base import METHODS, Method, Outcome, Update, prepare_fusion
from equimodal.models.mapping import alignment_weights
from equimodal.training.device import make_fabric
from equimodal.training.optimise import Updater, make_optimiser
from synthetic import linear_batch, linear_model

TRAINING = TrainingConfig(learning_rate=0.03, weight_decay=0.1, clip_norm=0.5)
"""Rates high enough that a wrong gradient shows, a norm that does clip, and weight decay that does pull."""

NAMES = ("a", "b", "c")
ORDER = ("b", "c", "a")
"""The order in which tests of scheduled methods visit them, other than the one declared."""


def for_any_batch(test: Any) -> Any:
    """Call the test with a seed and with what a batch may hold: how many samples, how often present, one left out."""
    drawn = given(
        seed=st.integers(0, 9999),
        samples=st.integers(1, 12),
        probability=st.sampled_from([-1.0, 0.2, 0.6, 1.1]),
        without=st.sampled_from([*NAMES, ""]),
    )
    return settings(max_examples=12, deadline=None)(drawn(test))


def method_and_batch(
    name: str, options: dict[str, Any], seed: int, samples: int, probability: float, without: str
) -> tuple[Any, Batch]:
    """Return a method whose encoders have dropout, so that they draw numbers, and a batch for `for_any_batch`."""
    torch.manual_seed(seed + 1)
    model = linear_model(NAMES)
    model.encoders = nn.ModuleDict({m: nn.Sequential(layer, nn.Dropout(0.5)) for m, layer in model.encoders.items()})
    method = make_method(name, model, **options)
    return method, linear_batch(NAMES, samples=samples, probability=probability).restrict(set(NAMES) - {without})


def make_method(name: str, model: Any = None, seed: int = 0, **options: Any) -> Any:
    """Return a method on a small classifier of linear encoders, with its own fusion."""
    model = linear_model(("a", "b", "c")) if model is None else model
    cls = METHODS.get(name)
    config = cls.Config.model_validate(options)
    prepare_fusion(model, cls, config)
    return cls(model, config, seed).train()


def make_updater(method: Method, training: TrainingConfig = TRAINING) -> Updater:
    """Return what takes the steps of a method's updates."""
    method.model.train()
    parameters = [*method.model.parameters(), *method.parameters()]
    return Updater(make_fabric(training), method, make_optimiser(parameters, training), training.clip_norm)


def run_updates(
    method: Method, batches: Iterable[Batch], updater: Updater | None = None
) -> list[tuple[Update, Outcome]]:
    """Take the steps of the updates of every batch; return the updates with their outcomes."""
    updater = make_updater(method) if updater is None else updater
    done = []
    for batch in batches:
        updates = method.updates(batch)
        outcome = None
        while True:
            try:
                update = next(updates) if outcome is None else updates.send(outcome)
            except StopIteration:
                break
            outcome = updater.apply(update)
            done.append((update, outcome))
    return done


def twin(method: Method) -> tuple[Any, Any]:
    """Return copies of the model and of the method's own modules, to be trained by plain PyTorch."""
    return copy.deepcopy(method.model), copy.deepcopy(nn.ModuleList(method.children()))


class Plain:
    """AdamW with clipping, over the parameters that a loss reaches."""

    def __init__(self, *modules: nn.Module) -> None:
        self.parameters = [p for module in modules for p in module.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=TRAINING.learning_rate, weight_decay=TRAINING.weight_decay
        )

    def step(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in self.parameters if p.grad is not None], TRAINING.clip_norm or 0.0)
        self.optimiser.step()


def encode(model: Any, batch: Batch, name: str) -> Tensor:
    """Return a linear encoder's encodings, zero where the modality is absent."""
    layer: Any = model.encoders[name]
    x: Any = batch.inputs[name]
    z = nn.functional.linear(x, layer.weight, layer.bias)
    return z * batch.present[name].unsqueeze(1)


def mean_loss(logits: Tensor, batch: Batch, mask: Tensor) -> Tensor:
    """Return the mean cross entropy over the rows in `mask`."""
    return nn.functional.cross_entropy(logits[mask], batch.labels[mask])


def anything(batch: Batch) -> Tensor:
    """Return which rows have some modality."""
    return torch.stack(list(batch.present.values())).any(0)


def assert_same(ours: nn.Module, plain: nn.Module, atol: float = 1e-6) -> None:
    """Check that two modules hold the same numbers."""
    expected = plain.state_dict()
    for name, tensor in ours.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=atol), name


def alive(method: Any, order: tuple[str, ...] = ("b", "c", "a")) -> Any:
    """Give the memory something to say: weights that are not zero, a state, an order."""
    fusion = method.model.fusion
    said = fusion.correction if hasattr(fusion, "correction") else fusion.refinement
    with torch.no_grad():
        said.output.weight.normal_(std=0.5)
        fusion.memory.inherit(torch.randn(method.model.width), torch.randn(method.model.width))
    method.schedule._set(order)
    method.visiting = method.passes()[0]
    return method


def inherited(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the memory's state before the first modality."""
    memory = model.fusion.memory
    return memory.inherited_h.repeat(len(batch), 1), memory.inherited_c.repeat(len(batch), 1)


def read(
    model: Any, name: str, z: Tensor, here: Tensor, state: tuple[Tensor, Tensor], previous: Any, seen: Any
) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor, Tensor, Tensor]:
    """Let the memory read one modality.

    Returns:
        The state; the rows for the next modality, and who has them; this one's mapped rows, and those aligned.
    """
    fusion, rows = model.fusion, here[:, None]
    mapped = fusion.mapping.maps[name](z)
    aligned = mapped
    if previous is not None and fusion.mapping.sample_level:
        aligned = alignment_weights(previous.detach(), mapped, fusion.mapping.tau, here & seen) @ mapped
    shown = aligned
    if fusion.mapping.bounded:
        spread, mean = torch.var_mean(aligned, dim=1, keepdim=True, correction=0)
        shown = torch.tanh(2 * (aligned - mean) / (spread + 1e-5).sqrt())
    h, c = fusion.memory.cell(shown, state)
    state = (torch.where(rows, h, state[0]), torch.where(rows, c, state[1]))
    remembered = mapped.detach() if previous is None else torch.where(rows, mapped.detach(), previous)
    return state, remembered, here if seen is None else here | seen, mapped, aligned


def final_states(fusion: Any, data: Iterable[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> list[Any]:
    """Return the mean of h and of c after the last modality, over the rows that have any."""
    rows: list[list[Tensor]] = [[], []]
    for encodings, present in data:
        some = torch.stack(list(present.values())).any(0)
        for kept, state in zip(rows, fusion.follow(encodings, present)[1], strict=True):
            kept.append(state[some].double())
    return [torch.cat(states).mean(0) for states in rows]
