"""Encodings of a data set: what every decision is made of, once the encoders have run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from equimodal.contribution.bootstrap import group_numbers
from equimodal.data.rows import Rows
from equimodal.errors import DataError
from equimodal.models.classifier import Classifier
from equimodal.modes import evaluating


@dataclass(frozen=True)
class Encoded:
    """Encodings of some samples, on the model's device.

    Args:
        encodings: by modality (N, D); rows that lack the modality mean nothing.
        present: by modality bool (N,).
        labels: class numbers (N,).
        groups: group numbers (N,), on the CPU, alike in all parts of one data set; None where rows stand alone.
    """

    encodings: dict[str, Tensor]
    present: dict[str, Tensor]
    labels: Tensor
    groups: Tensor | None = None


@torch.no_grad()
def encode_all(model: Classifier, data: Rows, batch_size: int = 256, workers: int = 0) -> Iterator[Encoded]:
    """Run each encoder once over the data, in evaluation mode, where the model is; yield encodings by the batch.

    Args:
        model: the classifier; it is in evaluation mode while it encodes, not between the batches.
        data: in the form that the encoders take (`Classifier.prepare`).
        batch_size: rows at a time; it does not change the result.
        workers: processes that read ahead; they do not change the result either.
    """
    groups = None if data.groups is None else group_numbers(data.groups, len(data))
    for batch in data.batches(batch_size, workers=workers):
        own = None if groups is None else groups[batch.ids]
        batch = model.complete(batch.to(model.device))
        with evaluating(model):
            encodings = model.encode(batch)
        yield Encoded(encodings, batch.present, batch.labels, own)


@torch.no_grad()
def coalition_outputs(model: Classifier, encoded: Iterable[Encoded], coalitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (K, N, C) of every coalition and the labels (N,), on the CPU.

    Args:
        model: the classifier; it is in evaluation mode meanwhile.
        encoded: what it made of the data, see `encode_all`.
        coalitions: bool (K, n).

    Raises:
        DataError: there are no rows.
    """
    outputs, labels = [], []
    for part in encoded:
        with evaluating(model):
            logits = model.coalitions(part.encodings, part.present, coalitions)
        outputs.append(logits.float().cpu())
        labels.append(part.labels.cpu())
    if not outputs:
        raise DataError("Expected at least one row to measure, got none.")
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
    groups = [part.groups for part in parts if part.groups is not None]
    return Encoded(
        {name: torch.cat([part.encodings[name] for part in parts]) for name in names},
        {name: torch.cat([part.present[name] for part in parts]) for name in names},
        torch.cat([part.labels for part in parts]),
        torch.cat(groups) if groups else None,
    )
