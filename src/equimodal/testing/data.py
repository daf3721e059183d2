"""Small synthetic data of every kind, and classifiers to match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.models.classifier import Classifier

CLASSES = ("ant", "bee", "cat")
WORDS = (("crawls", "tiny", "leaf"), ("flies", "honey", "yellow"), ("purrs", "milk", "sleeps"))


def make_dataset(
    samples: int = 120,
    modalities: Sequence[str] = ("vector", "sequence", "image"),
    absent: float = 0.3,
    nothing: float = 0.0,
    seed: int = 0,
    clarity: float = 1.0,
) -> Dataset:
    """Return labelled data in which every modality carries the class, more or less clearly.

    Args:
        samples: rows.
        modalities: names; a name's part before "_" is its kind.
        absent: share of entries absent; each sample keeps one at least.
        nothing: share of samples with no modality at all.
        seed: of all draws.
        clarity: how far apart the classes lie; text is as it is.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % len(CLASSES)
    arrays: dict[str, Any] = {}
    lengths: dict[str, Any] = {}
    for name in modalities:
        kind = name.split("_")[0]
        if kind == "vector":
            arrays[name] = rng.normal(size=(samples, 5)) + 1.5 * clarity * np.eye(5)[labels]
        elif kind == "sequence":
            arrays[name] = rng.normal(size=(samples, 9, 3)) + clarity * np.eye(3)[labels][:, None]
            lengths[name] = rng.integers(2, 10, samples)
        elif kind == "image":
            image = rng.integers(0, 120, (samples, 8, 8, 3)).astype(np.uint8)
            image[np.arange(samples), :, :, labels] += np.uint8(min(90 * clarity, 135))
            arrays[name] = image
        else:
            words = [rng.choice(WORDS[label], 2) if rng.random() < 0.7 else ["a", "thing"] for label in labels]
            arrays[name] = [" ".join(pair) for pair in words]
    present = rng.random((samples, len(modalities))) >= absent
    empty = ~present.any(1)
    present[empty, rng.integers(0, len(modalities), empty.sum())] = True
    present[rng.random(samples) < nothing] = False
    return Dataset(
        arrays,
        [CLASSES[label] for label in labels],
        lengths=lengths,
        present={name: present[:, i] for i, name in enumerate(modalities)},
        name="synthetic",
    )


def make_splits(
    samples: int = 120,
    modalities: Sequence[str] = ("vector", "sequence", "image"),
    absent: float = 0.3,
    nothing: float = 0.0,
    seed: int = 0,
    clarity: float = 1.0,
) -> Splits:
    """Return the data of `make_dataset`, split."""
    return make_dataset(samples, modalities, absent, nothing, seed, clarity).split(seed=0)


class NormedEncoder(nn.Module):
    """A small encoder of vectors or sequences with a batch norm and dropout, as a user may give one."""

    def __init__(self, features: int, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 12), nn.BatchNorm1d(12), nn.GELU(), nn.Dropout(0.1), nn.Linear(12, width)
        )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width); of a sequence, those of its mean."""
        return self.layers(x if lengths is None else x.sum(1) / lengths.unsqueeze(1))


SMALL: dict[str, dict[str, Any]] = {
    "vector": {"name": "mlp", "hidden": 12},
    "sequence": {"name": "gru", "hidden": 8},
    "image": {"name": "cnn", "hidden": [4, 8]},
    "text": {"name": "hashed_text", "hidden": 8, "buckets": 64},
}


def make_model(splits: Splits, width: int = 8, seed: int = 0, **options: Any) -> Any:  # tests reach into its modules
    """Return a small classifier with encoders of every kind."""
    encoders = {name: dict(SMALL[name.split("_")[0]]) for name in splits.modalities}
    for name, changes in options.pop("encoders", {}).items():
        encoders[name] = {**encoders[name], **changes} if isinstance(changes, dict) else changes
    return Classifier.for_data(splits, encoders, width=width, seed=seed, **options)
