"""One batch of multimodal samples, with presence as a mask for each sample and modality."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equimodal.known import Known, known, upload

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
        """Return the batch on `device`, without waiting for it.

        The host still knows presence, labels and lengths there, see `equimodal.known.Known`. Of several inputs by name
        it knows whole numbers too: which tokens are padding, and where those of a picture are, is asked in each step.
        """
        place = torch.device(device)

        def move(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: moved(tensor, place) for key, tensor in value.items()}
            return upload(value, place) if isinstance(value, Tensor) else value

        return Batch(
            {name: move(value) for name, value in self.inputs.items()},
            {name: known(mask, place) for name, mask in self.present.items()},
            known(self.labels, place),
            move(self.ids),
            {name: known(steps, place) for name, steps in self.lengths.items()},
        )


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return one of several inputs by name on `device`; the host still knows whole numbers and masks there.

    Example:
        >>> tokens = moved(torch.tensor([[5, 0]]), torch.device("meta"))
        >>> int((tokens > 0).sum())
        1
    """
    return upload(tensor, device) if tensor.is_floating_point() else known(tensor, device)


def uploaded(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on `device`; to a CUDA device each is copied while the one before is being worked on.

    Example:
        >>> here = torch.ones(2, dtype=torch.bool)
        >>> batch = Batch({"a": torch.zeros(2, 3)}, {"a": here}, labels=torch.tensor([0, 1]), ids=torch.arange(2))
        >>> [len(one) for one in uploaded([batch, batch], torch.device("cpu"))]
        [2, 2]
    """
    if device.type != "cuda":
        yield from (batch.to(device) for batch in batches)
        return
    beside = torch.cuda.Stream(device)
    waiting: tuple[Batch, Any] | None = None
    for batch in batches:
        with torch.cuda.stream(beside):
            ahead = batch.to(device), beside.record_event()
        if waiting is not None:
            yield _arrived(*waiting)
        waiting = ahead
    if waiting is not None:
        yield _arrived(*waiting)


def _arrived(batch: Batch, event: Any) -> Batch:
    """Let the current stream wait for a batch's copies, and the copies' memory for the stream."""
    stream = torch.cuda.current_stream(batch.ids.device)
    stream.wait_event(event)
    for value in (*batch.inputs.values(), batch.ids):
        for tensor in value.values() if isinstance(value, dict) else (value,):
            if isinstance(tensor, Tensor) and not isinstance(tensor, Known):  # those are uploaded where they are needed
                tensor.record_stream(stream)
    return batch


def rows_of(x: Input, rows: Tensor) -> Input:
    """Return some rows of a modality's inputs.

    Example:
        >>> rows_of(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([2, 0])).flatten().tolist()
        [3.0, 1.0]
    """
    if isinstance(x, dict):
        return {key: tensor[rows] for key, tensor in x.items()}
    return x[rows.cpu().numpy()] if isinstance(x, np.ndarray) else x[rows]
