"""Encodings of a data set: what every decision is made of, once the encoders have run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equimodal.models.classifier import Classifier

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
def encode_all(
    model: Classifier, data: Dataset, batch_size: int = 256, device: torch.device | str = "cpu"
) -> list[Encoded]:
    """Run each encoder once over the data, in evaluation mode; return the encodings batch by batch.

    Args:
        model: the classifier; it is put into evaluation mode and back.
        data: in the form that the encoders take (:meth:`Classifier.prepare`).
        batch_size: rows at a time; it does not change the result.
        device: where the model is.
    """
    training = model.training
    model.eval()
    batches = (model.complete(batch.to(device)) for batch in data.batches(batch_size))
    encoded = [Encoded(model.encode(batch), batch.present, batch.labels) for batch in batches]
    model.train(training)
    return encoded


def joined(parts: Sequence[Encoded]) -> Encoded:
    """Return the encodings of several batches as those of one.

    Example:
        >>> one = Encoded({"a": torch.zeros(2, 3)}, {"a": torch.ones(2, dtype=torch.bool)}, torch.tensor([0, 1]))
        >>> joined([one, one]).encodings["a"].shape
        torch.Size([4, 3])
    """
    names = list(parts[0].encodings)
    return Encoded(
        {name: torch.cat([part.encodings[name] for part in parts]) for name in names},
        {name: torch.cat([part.present[name] for part in parts]) for name in names},
        torch.cat([part.labels for part in parts]),
    )
