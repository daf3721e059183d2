"""Encodings of a data set: what every decision is made of, once the encoders have run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equimodal.models.classifier import Classifier
from equimodal.modes import evaluating

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset


@dataclass(frozen=True)
class Encoded:
    """Encodings of some samples, on the model's device.

    Args:
        encodings: by modality (N, D); rows that lack the modality mean nothing.
        present: by modality bool (N,).
        labels: class numbers (N,).
    """

    encodings: dict[str, Tensor]
    present: dict[str, Tensor]
    labels: Tensor


@torch.no_grad()
def encode_all(model: Classifier, data: Dataset, batch_size: int = 256) -> Iterator[Encoded]:
    """Run each encoder once over the data, in evaluation mode, where the model is; yield encodings by the batch.

    Args:
        model: the classifier; it is in evaluation mode while it encodes, not between the batches.
        data: in the form that the encoders take (`prepare`).
        batch_size: rows at a time; it does not change the result.
    """
    for batch in data.batches(batch_size):
        batch = model.complete(batch.to(model.device))
        with evaluating(model):
            encodings = model.encode(batch)
        yield Encoded(encodings, batch.present, batch.labels)


@torch.no_grad()
def coalition_outputs(model: Classifier, encoded: Iterable[Encoded], coalitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (K, N, C) of every coalition and the labels (N,), on the CPU.

    Args:
        model: the classifier; it is in evaluation mode meanwhile.
        encoded: what it made of the data, see `encode_all`.
        coalitions: bool (K, n).
    """
    outputs, labels = [], []
    for part in encoded:
        with evaluating(model):
            logits = model.coalitions(part.encodings, part.present, coalitions)
        outputs.append(logits.float().cpu())
        labels.append(part.labels.cpu())
    return torch.cat(outputs, dim=1), torch.cat(labels)


def joined(encoded: Iterable[Encoded]) -> Encoded:
    """Return the encodings of several batches as those of one.

    Example:
        >>> one = Encoded({"a": torch.zeros(2, 3)}, {"a": torch.ones(2, dtype=torch.bool)}, torch.tensor([0, 1]))
        >>> joined([one, one]).encodings["a"].shape
        torch.Size([4, 3])
    """
    parts = list(encoded)
    names = list(parts[0].encodings)
    return Encoded(
        {name: torch.cat([part.encodings[name] for part in parts]) for name in names},
        {name: torch.cat([part.present[name] for part in parts]) for name in names},
        torch.cat([part.labels for part in parts]),
    )
