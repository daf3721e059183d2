"""What a model gets of a batch when only some modalities are present: the rest is hidden from it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equimodal.batch import Batch
from equimodal.errors import DataError


def hide(batch: Batch, coalition: Collection[str]) -> Batch:
    """Return a copy of a batch in which rows hold nothing of the modalities that they lack or `coalition` leaves out.

    There, numbers are 0, strings are empty, lengths are 1 and `present` is False, as in a `Dataset` whose rows lack
    the modality. Labels are -1. Nothing is shared with the batch, so that a model may write into what it gets.

    Args:
        batch: some samples.
        coalition: the modalities that stay, where a row has them.

    Raises:
        DataError: the inputs of a modality are neither numbers nor strings.

    Example:
        >>> here = torch.ones(2, dtype=torch.bool)
        >>> batch = Batch({"a": torch.ones(2, 1), "b": np.array(["a dog", "a cat"])}, {"a": here, "b": here},
        ...               torch.tensor([0, 1]), torch.arange(2))
        >>> hidden = hide(batch, ["a"])
        >>> hidden.inputs["a"].tolist(), hidden.inputs["b"].tolist(), hidden.present["b"].tolist()
        ([[1.0], [1.0]], ['', ''], [False, False])
    """
    present = {name: mask.clone() for name, mask in batch.restrict(coalition).present.items()}
    return Batch(
        {name: _hidden(name, value, present[name]) for name, value in batch.inputs.items()},
        present,
        torch.full_like(batch.labels, -1),
        batch.ids.clone(),
        {
            name: steps.masked_fill(~present[name].to(steps.device), 1) if name in present else steps.clone()
            for name, steps in batch.lengths.items()
        },
    )


def _hidden(name: str, value: Any, present: Tensor) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(name, part, present) for key, part in value.items()}
    if isinstance(value, Tensor):
        _check_rows(name, tuple(value.shape), len(present))
        absent = ~present.to(value.device)
        return value.masked_fill(absent.reshape(-1, *[1] * (value.ndim - 1)), 0)
    if not isinstance(value, np.ndarray | list | tuple):
        raise DataError(
            f"inputs of '{name}': expected a tensor, several by name, or an array of strings, got "
            f"{type(value).__name__}."
        )
    copied = np.array(value)
    _check_rows(name, copied.shape, len(present))
    copied[~present.cpu().numpy()] = 0 if copied.dtype.kind in "biufc" else ""
    return copied.tolist() if isinstance(value, list | tuple) else copied


def _check_rows(name: str, shape: tuple[int, ...], rows: int) -> None:
    if not shape or shape[0] != rows:
        raise DataError(f"inputs of '{name}': expected {rows} rows, one per label, got the shape {shape}.")
