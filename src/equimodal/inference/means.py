"""Means over rows with bootstrap intervals, of rows or of whole groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from equimodal.contribution.bootstrap import bootstrap_weights, percentile_intervals
from equimodal.contribution.units import units_of

REPLICATES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over rows; `ends` are those of its 95% bootstrap interval, None where there are too few rows or groups."""

    value: float
    ends: tuple[float, float] | None = None


def means(scores: np.ndarray, groups: np.ndarray | None, seed: int) -> list[Mean]:
    """Return the mean of each column with its interval.

    Args:
        scores: (N, columns).
        groups: of the rows (N,), drawn as a whole; None: rows are drawn.
        seed: of the bootstrap.

    Example:
        >>> means(np.array([[0.0], [1.0]]), None, 0)  # two rows have no interval
        [Mean(value=0.5, ends=None)]
    """
    units, table = units_of(groups, len(scores)), torch.from_numpy(scores)
    values = scores.mean(0).tolist()
    if not units.enough:
        return [Mean(value) for value in values]
    weights = bootstrap_weights(len(scores), REPLICATES, torch.Generator().manual_seed(seed), units.drawn)
    drawn = torch.cat([part @ table / part.sum(-1, keepdim=True) for part in weights])
    ends = [(each.low, each.high) for each in percentile_intervals(drawn[1:], CONFIDENCE)]
    return [Mean(value, pair) for value, pair in zip(values, ends, strict=True)]
