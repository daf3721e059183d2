"""Run a method's updates as the loop does, and the plain PyTorch that they are compared with."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.config.run import TrainingConfig
from equimodal.methods.base import METHODS, Method, Outcome, Update, prepare_fusion
from equimodal.training.loop import make_fabric
from equimodal.training.optimise import Updater, make_optimiser
from synthetic import linear_model

TRAINING = TrainingConfig(learning_rate=0.03, weight_decay=0.1, clip_norm=0.5)
"""Rates high enough that a wrong gradient shows, a norm that does clip, and weight decay that does pull."""


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
