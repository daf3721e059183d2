"""Bootstrap over stored outputs: weights of rows or of whole groups, and percentile intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from equimodal.errors import DataError

Groups = Sequence[Any] | np.ndarray | Tensor
"""The group of each row (N,): a subject, a recording, a speaker; any labels."""

_ENTRIES_AT_ONCE = 2**23
"""Weights held at once (64 MiB): all replicates of 40 000 rows, a few of millions."""


class Interval(NamedTuple):
    """A bootstrap percentile interval, with the median of the replicates."""

    low: float
    median: float
    high: float


def group_numbers(groups: Groups, samples: int) -> Tensor:
    """Return the group of each row as a number 0..G-1: int64 (N,).

    Args:
        groups: one label per row, in any order; equal labels are one group.
        samples: N.

    Raises:
        DataError: there is not one group per row, a row has none, or labels cannot be compared.

    Example:
        >>> group_numbers(["ann", "bob", "ann"], 3).tolist()
        [0, 1, 0]
    """
    labels = groups.detach().cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if labels.shape not in ((samples,), (samples, 1)):
        shape = f"{len(labels)}" if labels.ndim == 1 else f"the shape {labels.shape}"
        raise DataError(f"groups: expected one for each of the {samples} samples, got {shape}.")
    labels = labels.reshape(-1)
    nobody = []
    if labels.dtype.kind in "fO":  # other types have no value that stands for none
        nobody = [row for row, label in enumerate(labels.tolist()) if label is None or label != label]
    if nobody:
        raise DataError(
            f"groups: {len(nobody)} rows have no group (None or NaN), the first is row {nobody[0]}. "
            "Give each row a group, or one group per row to those that stand alone."
        )
    try:
        numbers = np.unique(labels, return_inverse=True)[1]
    except TypeError as error:
        kinds = ", ".join(sorted({type(label).__name__ for label in labels.tolist()}))
        raise DataError(f"groups: expected labels of one type, got {kinds}. Make all of them strings.") from error
    return torch.from_numpy(numbers.reshape(-1))


def bootstrap_weights(
    samples: int, replicates: int, generator: torch.Generator, groups: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield bootstrap weights of the rows, after a first row of ones (the sample itself), in parts.

    Without groups a replicate draws N rows with replacement. With groups it draws G whole groups (cluster
    bootstrap): rows of a group share their weight, and replicates differ in their number of rows.

    Args:
        samples: N.
        replicates: R.
        generator: of the draws.
        groups: group numbers (N,), see `group_numbers`.

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
    """Return how often each unit is drawn in `units` draws with replacement: float64 (R, units).

    Example:
        >>> multinomial_counts(2, 4, torch.Generator().manual_seed(0)).sum(-1).tolist()
        [4.0, 4.0]
    """
    drawn = torch.randint(units, (replicates, units), generator=generator)
    one = torch.ones((), dtype=torch.float64).expand(replicates, units)
    return torch.zeros(replicates, units, dtype=torch.float64).scatter_add_(1, drawn, one)


def percentile_intervals(replicates: Tensor, confidence: float) -> list[Interval]:
    """Return the percentile interval of each column: (R, columns) -> one interval per column.

    Example:
        >>> percentile_intervals(torch.arange(101.0).unsqueeze(-1), 0.5)
        [Interval(low=25.0, median=50.0, high=75.0)]
    """
    tail = (1 - confidence) / 2
    at = np.quantile(replicates.double().numpy(), [tail, 0.5, 1 - tail], axis=0)
    return [Interval(*column) for column in at.T.tolist()]
