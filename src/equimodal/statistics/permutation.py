"""Paired permutation test, and Holm's correction for several comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from equimodal.statistics.estimates import ROUNDING

EXACT_UP_TO = 20
"""Up to this many pairs all 2^J sign flips are enumerated; above, flips are drawn (SciPy)."""
DRAWS = 9999
LEVEL = 0.05
"""Level of all tests."""


def permutation_p(differences: Sequence[float], seed: int = 0) -> float:
    r"""Return the two-sided p of the paired permutation test on the mean difference.

    Under the null hypothesis each difference is positive or negative with equal probability. p is the share of the
    $2^J$ sign patterns whose absolute sum is at least the observed one: exact up to 20 pairs, above from 9999 drawn
    patterns. The test assumes exchangeable pairs. Redrawn splits share samples, so use it together with the corrected
    interval.

    Args:
        differences: one per seed (J,).
        seed: of the draws above 20 pairs.

    Example:
        >>> permutation_p([0.1, 0.2, 0.1, 0.3])  # two of sixteen patterns
        0.125
    """
    d = np.asarray(differences, dtype=float)
    if len(d) > EXACT_UP_TO:
        test = stats.permutation_test(
            (d,),
            lambda x, axis: x.mean(axis=axis),
            permutation_type="samples",  # with one sample: its signs are flipped
            vectorized=True,
            n_resamples=DRAWS,
            batch=1000,
            random_state=np.random.default_rng(seed),  # pyright: ignore[reportCallIssue] - SciPy < 1.15 has no rng
        )
        return float(test.pvalue)
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    tolerance = ROUNDING * np.abs(d).sum()
    return float(np.mean(np.abs(sums) >= abs(d.sum()) - tolerance))


def smallest_p(pairs: int) -> float:
    """Return the lowest p that the two-sided sign-flip test can give with this number of pairs.

    That is 2 / 2^J if all patterns are enumerated, and 2 / (draws + 1) above.

    Example:
        >>> smallest_p(5), round(smallest_p(10), 5), smallest_p(30)
        (0.0625, 0.00195, 0.0002)
    """
    return min(1.0, 2.0 ** (1 - pairs)) if pairs <= EXACT_UP_TO else 2 / (DRAWS + 1)


def seeds_needed(comparisons: int, level: float = LEVEL) -> int:
    """Return the fewest seeds with which a Holm-corrected exact p can reach `level` in every comparison.

    Example:
        >>> seeds_needed(1), seeds_needed(4)
        (6, 8)
    """
    return math.ceil(1 + math.log2(comparisons / level))


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Return Holm's step-down adjusted p values: $\max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})$.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source: Holm, 1979, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()
