"""Predictions of a classifier for a data set, with any subset of the modalities present."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equimodal.errors import DataError
from equimodal.models.classifier import Classifier
from equimodal.modes import evaluating

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset


@torch.no_grad()
def predict(
    model: Classifier,
    data: Dataset,
    modalities: Collection[str] | None = None,
    *,
    batch_size: int = 256,
) -> Tensor:
    """Return class probabilities (N, C); they depend neither on ``batch_size`` nor on the order of the rows.

    Args:
        model: a trained classifier.
        data: samples, labelled or not; a modality that they lack counts as absent.
        modalities: use these only; None: all that are present.
        batch_size: rows at a time.

    Raises:
        DataError: an array has another shape than the model was made for, or ``modalities`` names an unknown one.
    """
    if not any(name in data.modalities for name in model.modalities):
        raise DataError(
            f"{data.name}: holds {', '.join(data.modalities)}, none of which the model knows "
            f"({', '.join(model.modalities)})."
        )
    data = model.prepare(data)
    if modalities is not None:
        data = data.restrict(modalities)
    with evaluating(model):
        logits = [model(batch.to(model.device)).float().cpu() for batch in data.batches(batch_size)]
    return torch.cat(logits).softmax(-1)
