"""What a model answers, checked and brought into one form: logits as a tensor on the CPU, one row per row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from equimodal.errors import DataError


def read_answer(answer: object, size: int, classes: int | None, where: str, *, categorical: bool) -> Tensor:
    """Return a prediction as a floating tensor (size, C).

    Args:
        answer: a tensor, a NumPy array or nested lists (size, C); (size,) too where labels are not classes.
        size: the number of rows asked for.
        classes: C of earlier predictions; None for the first.
        where: which prediction this is, for messages.
        categorical: whether labels are class numbers.

    Raises:
        DataError: something else, with the remedy.

    Example:
        >>> read_answer([[0, 1], [2, 0]], 2, None, "batch 0", categorical=True)
        tensor([[0., 1.],
                [2., 0.]])
    """
    expected = f"predict: expected a tensor ({size}, {classes or 'classes'}) for {where}, got "
    table = _table(answer, expected)
    came = f"{tuple(table.shape)}" if isinstance(answer, Tensor) else f"{type(answer).__name__} {tuple(table.shape)}"
    if table.is_complex():
        raise DataError(f"{expected}complex numbers.")
    if table.ndim == 1 and len(table) == size and not categorical:
        table = table.unsqueeze(-1)
    if table.ndim == 1 and len(table) == size:
        raise DataError(f"{expected}{came}. Return one column per class (logits or probabilities), not class numbers.")
    if table.ndim != 2 or len(table) != size:
        raise DataError(f"{expected}{came}. Return one row per row of the inputs, in their order.")
    if classes not in (None, table.shape[1]):
        raise DataError(f"predict: expected {classes} classes as before for {where}, got {table.shape[1]}.")
    if categorical and table.shape[1] < 2:
        raise DataError(
            f"{expected}{came}. Return one column per class: a single logit z as (0, z), a single probability p as "
            "(1 - p, p)."
        )
    # At least float32: the prior joins these, and half precision would give it ties.
    return table.to(torch.promote_types(table.dtype, torch.float32))


def _table(answer: object, expected: str) -> Tensor:
    if isinstance(answer, Tensor):
        return answer.detach().cpu()
    if answer is None or isinstance(answer, Mapping | tuple) or hasattr(answer, "logits"):
        raise DataError(f"{expected}{type(answer).__name__}. Return the logits alone.")
    if isinstance(answer, list):
        answer = [part.detach().cpu().numpy() if isinstance(part, Tensor) else part for part in answer]
    try:
        array = np.asarray(answer)
        if array.dtype.kind not in "biufc":
            raise TypeError
        return torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError) as error:
        raise DataError(f"{expected}{type(answer).__name__} that is not a table of numbers.") from error


def are_probabilities(rows: Tensor) -> bool:
    """Return whether every row of a table (..., C) holds probabilities: none below 0, of sum 1.

    Rows of zeros and a single one throughout are votes, and count as logits.

    Example:
        >>> are_probabilities(torch.tensor([[0.25, 0.75], [1.0, 0.0]])), are_probabilities(torch.tensor([[2.0, -1.0]]))
        (True, False)
    """
    if not len(rows) or bool((rows < 0).any()) or bool(((rows == 0) | (rows == 1)).all()):
        return False
    return bool(((rows.double().sum(-1) - 1).abs() <= 1e-3).all())
