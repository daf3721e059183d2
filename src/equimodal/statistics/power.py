"""The power of a test: which differences it could have missed."""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats

from equimodal.statistics.permutation import LEVEL


def detectable_difference(error: float, free: float, level: float = LEVEL, power: float = 0.8) -> float:
    r"""Return the true mean difference that a two-sided t test would find with probability `power`.

    With $T'(\delta)$ the non-central t of `free` degrees of freedom, it is the $d$ for which
    $P(|T'(d / \mathrm{error})| > t_{1-\alpha/2})$ equals `power`. A smaller true difference is easily missed.

    Args:
        error: standard error of the mean difference, $s \sqrt{1/J + \mathrm{overlap}}$.
        free: degrees of freedom, J - 1 for J pairs.
        level: of the test; divide it by the number of comparisons for a bound under Holm's correction.
        power: probability of finding the difference.

    Example:
        >>> round(detectable_difference(error=0.01, free=9), 4)  # 10 seeds
        0.0315
    """
    bound = float(stats.t.ppf(1 - level / 2, free))
    # P(|T'| > bound) as a mean over its chi-square variable: SciPy's non-central t is wrong in the far tails.
    spread = bound * np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, free) / free)

    def missing(delta: float) -> float:
        return float(np.mean(stats.norm.cdf(delta - spread) + stats.norm.cdf(-delta - spread))) - power

    return error * float(optimize.brentq(missing, 0.0, 10 * bound + 10))  # pyright: ignore[reportArgumentType]
