"""Bootstrap over stored outputs: sample weights and percentile intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from equimodal.errors import DataError

_ENTRIES_AT_ONCE = 2**23
"""Weights held at once (64 MiB): all replicates of 40 000 samples, a few of millions."""


class Interval(NamedTuple):
    """A bootstrap percentile interval, with the median of the replicates."""

    low: float
    median: float
    high: float


def group_numbers(groups: Sequence[Any] | np.ndarray | Tensor, samples: int) -> Tensor:
    """Return each sample's group as a number 0..G-1: int64 (N,).

    Raises:
        DataError: not one group a sample, or a single group, which cannot be resampled.

    Example:
        >>> group_numbers(["ann", "bob", "ann"], 3).tolist()
        [0, 1, 0]
    """
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    if len(numbers) != samples:
        raise DataError(f"groups: expected one for each of the {samples} samples, got {len(numbers)}.")
    if len(names) < 2:
        raise DataError(
            f"groups: all samples are in one group, '{names[0]}', so that groups cannot be resampled. "
            "Leave groups out to resample samples."
        )
    return torch.from_numpy(numbers.reshape(-1))


def bootstrap_weights(
    samples: int, replicates: int, generator: torch.Generator, groups: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield multinomial sample weights, after a first row of ones (the sample itself), in parts.

    Args:
        samples: N.
        replicates: R.
        generator: of the draws.
        groups: group numbers (N,); whole groups are then drawn, so that replicates differ in size.

    Yields:
        float64 (r, N), R + 1 rows in all.

    Example:
        >>> weights = torch.cat([*bootstrap_weights(5, 3, torch.Generator().manual_seed(0))])
        >>> weights[0].tolist(), weights.sum(-1).tolist()
        ([1.0, 1.0, 1.0, 1.0, 1.0], [5.0, 5.0, 5.0, 5.0])
    """
    units = samples if groups is None else int(groups.max()) + 1
    at_once = max(1, _ENTRIES_AT_ONCE // samples)
    for start in range(0, replicates + 1, at_once):
        rows = min(at_once, replicates + 1 - start)
        drawn = multinomial_counts(rows - (start == 0), units, generator)
        counts = drawn if start else torch.cat([torch.ones(1, units, dtype=torch.float64), drawn])
        yield counts if groups is None else counts[:, groups]


def multinomial_counts(replicates: int, units: int, generator: torch.Generator) -> Tensor:
    """Return how often each unit is drawn in ``units`` draws with replacement: float64 (R, units).

    Example:
        >>> multinomial_counts(2, 4, torch.Generator().manual_seed(0)).sum(-1).tolist()
        [4.0, 4.0]
    """
    drawn = torch.randint(units, (replicates, units), generator=generator)
    one = torch.ones((), dtype=torch.float64).expand(replicates, units)
    return torch.zeros(replicates, units, dtype=torch.float64).scatter_add_(1, drawn, one)


def percentile_intervals(replicates: Tensor, confidence: float) -> list[Interval]:
    """Return the percentile interval of each column: (R, columns) -> one interval a column.

    Example:
        >>> percentile_intervals(torch.arange(101.0).unsqueeze(-1), 0.5)
        [Interval(low=25.0, median=50.0, high=75.0)]
    """
    tail = (1 - confidence) / 2
    at = np.quantile(replicates.double().numpy(), [tail, 0.5, 1 - tail], axis=0)
    return [Interval(*column) for column in at.T.tolist()]
