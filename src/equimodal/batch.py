"""One batch of multimodal samples, with presence as a mask for each sample and modality."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Input = Tensor | dict[str, Tensor] | np.ndarray
"""What one modality feeds its encoder: a tensor (B, ...), several by name (a tokeniser's output), or an array of
strings (B,) that the encoder has yet to tokenise."""


@dataclass(frozen=True)
class Batch:
    """Samples of several modalities, some of which may be absent.

    Values at absent entries mean nothing and never reach an encoder.

    Args:
        inputs: for each modality a tensor (B, ...), a dict of such tensors, or an array of strings (B,).
        present: for each modality a bool tensor (B,); False where the sample lacks the modality.
        labels: class numbers (B,), int64.
        ids: row numbers in the data set (B,), int64.
        lengths: for sequences, valid time steps (B,), int64.

    Example:
        >>> batch = Batch({"a": torch.zeros(2, 3), "b": torch.zeros(2, 4)},
        ...               {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])},
        ...               labels=torch.tensor([0, 1]), ids=torch.arange(2))
        >>> len(batch), batch.restrict({"a"}).present["b"].tolist(), batch.restrict({"b"}).anything.tolist()
        (2, [False, False], [True, False])
    """

    inputs: dict[str, Input]
    present: dict[str, Tensor]
    labels: Tensor
    ids: Tensor
    lengths: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in the data set's order."""
        return tuple(self.inputs)

    @property
    def anything(self) -> Tensor:
        """Rows that have at least one modality: bool (B,)."""
        return torch.stack(list(self.present.values())).any(0)

    def restrict(self, coalition: Collection[str]) -> Batch:
        """Return the batch in which only the modalities of `coalition` are present."""
        present = {name: mask if name in coalition else torch.zeros_like(mask) for name, mask in self.present.items()}
        return Batch(self.inputs, present, self.labels, self.ids, self.lengths)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on `device`."""

        def move(value: Input) -> Input:
            if isinstance(value, Tensor):
                return value.to(device)
            if isinstance(value, dict):
                return {key: tensor.to(device) for key, tensor in value.items()}
            return value

        return Batch(
            {name: move(value) for name, value in self.inputs.items()},
            {name: mask.to(device) for name, mask in self.present.items()},
            self.labels.to(device),
            self.ids.to(device),
            {name: steps.to(device) for name, steps in self.lengths.items()},
        )


def rows_of(x: Input, rows: Tensor) -> Input:
    """Return some rows of a modality's inputs.

    Example:
        >>> rows_of(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([2, 0])).flatten().tolist()
        [3.0, 1.0]
    """
    if isinstance(x, dict):
        return {key: tensor[rows] for key, tensor in x.items()}
    return x[rows.cpu().numpy()] if isinstance(x, np.ndarray) else x[rows]
