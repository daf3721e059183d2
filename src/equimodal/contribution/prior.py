"""The label prior: what predicts where a sample has nothing of a coalition, in a run and in `diagnose` alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def prior_logits(probabilities: Sequence[float] | Tensor) -> Tensor:
    """Return the logits of class probabilities: their logarithms, float32 (C,).

    Probabilities below 1e-8 count as 1e-8: a class that never occurs stays finite in every value function.

    Example:
        >>> prior_logits([0.75, 0.25, 0.0]).softmax(-1).round(decimals=3)
        tensor([0.7500, 0.2500, 0.0000])
    """
    return torch.as_tensor(probabilities).float().clamp(min=1e-8).log()
