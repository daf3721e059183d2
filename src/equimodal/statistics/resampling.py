"""Intervals on a fixed split: a bootstrap of seeds and test groups together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REPLICATES = 4000


def resampled_interval(
    right: np.ndarray,
    groups: Sequence[int] | np.ndarray,
    confidence: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[float, float]:
    r"""Return the percentile interval of a mean score over seeds and test samples, both drawn with replacement.

    On one fixed split, seeds show how training varies, not the effect of another test set. Each replicate draws J of
    the J seeds and G of the G groups of test samples, and its mean is

    $$\frac{\sum_j w_j \sum_g u_g S_{jg}}{J \sum_g u_g n_g}$$

    with $S_{jg}$ the sum of the scores of the samples in group g under seed j, $n_g$ the size of the group, and w and u
    how often a seed and a group were drawn. To compare methods, give the differences of their scores.

    Args:
        right: scores (J, N): 1 where a seed's model predicts the label, or differences of two methods (-1, 0, 1).
        groups: number of each test sample's group (N,); without groups a different number for each sample.
        confidence: of the interval.
        replicates: how many.
        seed: of the draws.

    Example:
        >>> right = np.array([[1, 1, 0, 1], [1, 0, 0, 1]])
        >>> low, high = resampled_interval(right, [0, 1, 2, 3])
        >>> 0 <= low < 0.625 < high <= 1
        True

    Source: crossed resampling of both factors, Owen, 2007, "The pigeonhole bootstrap", Ann. Appl. Stat. 1.
    """
    right = np.asarray(right, dtype=float)
    J = len(right)
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(numbers).astype(float)
    sums = np.stack([np.bincount(numbers, weights=row, minlength=len(sizes)) for row in right])  # (J, G)
    rng = np.random.default_rng(seed)
    seeds = rng.multinomial(J, np.full(J, 1 / J), size=replicates)  # (R, J)
    drawn = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=replicates)  # (R, G)
    means = np.einsum("rj,jg,rg->r", seeds, sums, drawn, optimize=True) / (J * (drawn @ sizes))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
