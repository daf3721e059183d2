"""Small synthetic data of every kind, and batches made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from equimodal.batch import Batch
from equimodal.models.classifier import Classifier
from equimodal.models.fusions.base import build_fusion
from equimodal.testing.data import CLASSES, make_dataset, make_model, make_splits

__all__ = [
    "CLASSES",
    "linear_batch",
    "linear_model",
    "make_dataset",
    "make_fusion",
    "make_model",
    "make_splits",
    "random_presence",
]


def make_fusion(name: str, modalities: Sequence[str], width: int, classes: int, options: dict[str, Any]) -> Any:
    """Return a fusion by name."""
    return build_fusion(name, modalities, width, classes, options)


def random_presence(names: Sequence[str], samples: int, probability: float = 0.6) -> dict[str, torch.Tensor]:
    """Return random masks."""
    return {name: torch.rand(samples) < probability for name in names}


def linear_batch(
    names: Sequence[str] = ("a", "b"), samples: int = 10, features: int = 4, probability: float = 0.7
) -> Batch:
    """Return a random batch of vectors, absent entries zero, labels of three classes."""
    present = random_presence(names, samples, probability)
    return Batch(
        {name: torch.randn(samples, features) * present[name].unsqueeze(-1) for name in names},
        present,
        torch.randint(0, 3, (samples,)),
        torch.arange(samples),
    )


def linear_model(names: Sequence[str] = ("a", "b"), features: int = 4, width: int = 6, **options: Any) -> Any:
    """Return a classifier of linear encoders with three classes."""
    encoders = {name: torch.nn.Linear(features, width) for name in names}
    return Classifier(encoders, CLASSES, width=width, prior=[0.5, 0.3, 0.2], **options)
