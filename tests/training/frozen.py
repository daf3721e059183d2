"""Encoders of the user's with batch norms and frozen parts, and runs on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equimodal.models.classifier import Classifier
from equimodal.testing.data import NormedEncoder


class Normed(NormedEncoder):
    """The small encoder with a batch norm, of the width of the tiny models."""

    def __init__(self, features: int, width: int = 6) -> None:
        super().__init__(features, width)


class OnFrozen(nn.Module):
    """A frozen base with a batch norm, and a small head that trains."""

    def __init__(self, features: int, width: int = 6, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.base = Normed(features, 8)
            self.base.layers[1].running_mean.normal_()  # as after a training
        self.base.requires_grad_(False)
        self.head = nn.Linear(8, width)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.head(self.base(x, lengths))


FEATURES = {"vector": 5, "sequence": 3}


def normed_model(tiny: Any, kinds: dict[str, type[nn.Module]], **options: Any) -> Any:
    """Return a classifier with an encoder of a class for some modalities, always of the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        encoders = {name: kind(FEATURES[name]) for name, kind in kinds.items()}
    return Classifier.for_data(tiny, encoders, width=6, **options)


def clones(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all tensors of a module."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    """Return the names of the tensors that are not as they were."""
    return {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}
