"""Optimiser, learning-rate schedule, and the only place where an update moves parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.config.run import TrainingConfig
from equimodal.methods.base import Method, Outcome, Update
from equimodal.training.buffers import EncoderBuffers
from equimodal.training.groups import owners_of, trainable_parameters


def make_optimiser(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], config: TrainingConfig
) -> torch.optim.Optimizer:
    """Return the optimiser that the configuration names, of parameters or groups of them."""
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=config.learning_rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=config.weight_decay,
        )  # not fused: torch's fused form raises where parameters take their first steps at different times
    return torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def learning_rate(config: TrainingConfig, progress: float, step: float = 0.0) -> float:
    """Return the learning rate at `progress` in [0, 1) through a phase.

    In the warm-up it rises linearly, so that its k-th step of K has the rate k / K: the first step is no waste, and the
    last one has the peak rate.

    Args:
        config: peak rate, schedule, warm-up.
        progress: the share of the phase before this step.
        step: the share of the phase that this step is.

    Example:
        >>> round(learning_rate(TrainingConfig(learning_rate=1.0), 0.5), 3)
        0.5
        >>> config = TrainingConfig(learning_rate=1.0, warmup=0.5)
        >>> [learning_rate(config, k / 8, 1 / 8) for k in range(4)]
        [0.25, 0.5, 0.75, 1.0]
    """
    if progress < config.warmup:
        return config.learning_rate * min((progress + step) / config.warmup, 1.0)
    through = (progress - config.warmup) / (1 - config.warmup)
    factor = {
        "constant": 1.0,
        "linear": 1.0 - through,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * through)),
    }[config.schedule]
    return config.learning_rate * factor


class Updater:
    """Take the steps of a method's updates: backward, drop what must not move, clip, step.

    Only the parameters of the update's modalities and the shared ones keep a gradient. The optimiser skips
    parameters without one, so that the others do not change at all, under weight decay and momentum too. The buffers of
    an encoder move with its parameters, see `EncoderBuffers`. Frozen parameters are not given to the optimiser.

    Args:
        fabric: for the backward pass and mixed precision.
        method: with its model.
        optimiser: of `trainable_parameters`.
        clip_norm: largest gradient norm of one update; None: no clipping.
    """

    def __init__(
        self, fabric: Fabric, method: Method, optimiser: torch.optim.Optimizer, clip_norm: float | None
    ) -> None:
        self.method, model = method, method.model
        self.model = model
        self.fabric = fabric
        self.optimiser = optimiser
        self.clip_norm = clip_norm
        self.parameters = trainable_parameters(method)
        self.owners = owners_of(method, self.parameters)
        self.buffers = EncoderBuffers(model)

    def train_batch(self, batch: Batch) -> Iterator[Outcome]:
        """Take the steps of the method's updates of one batch; yield the result of each."""
        self.buffers.start_batch()
        updates = self.method.updates(batch)
        outcome = None
        while True:
            try:
                with self.fabric.autocast():
                    update = next(updates) if outcome is None else updates.send(outcome)
            except StopIteration:
                self.buffers.settle(())  # a pass after the last update belongs to none
                return
            outcome = self.apply(update)
            yield outcome

    def apply(self, update: Update) -> Outcome:
        """Take one step on the sum of the update's mean losses. Whether they are finite is seen when they are read."""
        terms: dict[str, Tensor] = {
            name: total / count for name, (total, count) in update.losses.items() if int(count) > 0
        }
        stepped = self._step(update, {name: term for name, term in terms.items() if term.requires_grad})
        moved = tuple(m for m in update.modalities if stepped and self._encoder_moved(m))
        self.buffers.settle({self.model.encoders[m] for m in moved})
        return Outcome({name: term.detach() for name, term in terms.items()}, stepped=stepped, moved=moved)

    def _step(self, update: Update, terms: Mapping[str, Tensor]) -> bool:
        """Take the step; return False where nothing that trains takes part in any loss."""
        if not terms:
            return False
        self.optimiser.zero_grad(set_to_none=True)
        free = [
            parameter
            for parameter, owners in zip(self.parameters, self.owners, strict=True)
            if not owners or not owners.isdisjoint(update.modalities)
        ]
        if update.combine is None:
            self.fabric.backward(torch.stack(list(terms.values())).sum())
            kept = {id(parameter) for parameter in free}
            for parameter in self.parameters:
                if id(parameter) not in kept:
                    parameter.grad = None
        else:
            for parameter, gradient in update.combine(_gradients_of_each(terms, free)).items():
                parameter.grad = _in_layout_of(parameter, gradient)
        if self.clip_norm is not None:
            moving = [parameter for parameter in free if parameter.grad is not None]
            nn.utils.clip_grad_norm_(moving, self.clip_norm)
        self.optimiser.step()
        return True

    def _encoder_moved(self, modality: str) -> bool:
        """Return whether the step had a gradient for a modality's encoder; a frozen one counts as moved."""
        learning = [p for p in self.model.encoders[modality].parameters() if p.requires_grad]
        return not learning or any(p.grad is not None for p in learning)


def _in_layout_of(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
    """Return the gradient in the parameter's memory layout, as `backward` leaves it.

    `autograd.grad` may return a convolution's gradient with channels last; fused AdamW (torch 2.13, CPU) reads it in
    the parameter's layout, and silently takes a wrong step.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _gradients_of_each(
    terms: Mapping[str, Tensor], parameters: Sequence[nn.Parameter]
) -> dict[str, dict[nn.Parameter, Tensor]]:
    """Return the gradients of each term, by the parameters that it reaches."""
    found = {}
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
        found[name] = {
            parameter: gradient
            for parameter, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None
        }
    return found
