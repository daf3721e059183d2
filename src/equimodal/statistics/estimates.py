"""Statistics over per-seed numbers: intervals, paired differences, exact permutation, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

EXACT_UP_TO = 20
"""Most pairs whose 2^J sign flips are all enumerated; above, flips are drawn (scipy)."""
DRAWS = 9999
LEVEL = 0.05
"""Level of all tests."""
ROUNDING = 1e-9
"""Relative difference up to which two values are one: accuracies are multiples of 1/n, and their sums tie often."""


@dataclass(frozen=True)
class Estimate:
    """What some seeds say about one number.

    Args:
        mean: over the seeds in which the number is defined; None where it is in none.
        low: lower end of the interval of the mean; None where the seeds hold no spread to make one of: below
            two, or all of one value.
        high: upper end.
        median: over the same seeds.
        count: seeds in which the number is defined.
        undefined: seeds in which it is not.
    """

    mean: float | None
    low: float | None
    high: float | None
    median: float | None
    count: int
    undefined: int


def estimate(values: Sequence[float | None], overlap: float = 0.0, confidence: float = 0.95) -> Estimate:
    r"""Return mean, median and t interval of per-seed values; None among them is counted and left out.

    .. math:: \bar x \pm t_{J-1}\, s \sqrt{1/J + \mathrm{overlap}}

    With ``overlap`` 0 this is Student's interval. Seeds that redraw the split share samples, so that their
    values are correlated and Student's interval is too short: there ``overlap`` is
    :math:`n_\text{test}/n_\text{train}`.

    Values that are all the same give no interval (ours): accuracies are coarse, so that a few seeds agree by
    chance, and an interval of no width would pass that off as certainty.

    Args:
        values: one a seed (J,).
        overlap: 0 for independent values, n_test / n_train for redrawn splits.
        confidence: of the interval.

    Example:
        >>> e = estimate([0.5, 0.7, None])
        >>> round(e.mean, 3), round(e.high - e.mean, 3), e.undefined
        (0.6, 1.271, 1)

    Source: Nadeau and Bengio, 2003, "Inference for the generalization error", Machine Learning 52, section 3.
    """
    known = np.array([value for value in values if value is not None], dtype=float)
    count, undefined = len(known), len(values) - len(known)
    if count == 0:
        return Estimate(None, None, None, None, 0, undefined)
    mean, median = float(known.mean()), float(np.median(known))
    if np.ptp(known) <= ROUNDING * np.abs(known).max():
        return Estimate(mean, None, None, median, count, undefined)
    scale = float(known.std(ddof=1)) * math.sqrt(1 / count + overlap)
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1)) * scale
    return Estimate(mean, mean - half, mean + half, median, count, undefined)


@dataclass(frozen=True)
class Pooled:
    """What the seeds of several settings say about one difference.

    Args:
        mean: of the settings' mean differences; None where the difference is defined nowhere.
        low: lower end of the interval of the mean; None where there is no spread to make one of, or one seed only.
        high: upper end.
        error: standard error of the mean; None without interval.
        free: its degrees of freedom.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    free: float | None = None


def pool(differences: Sequence[Sequence[float | None]], overlaps: Sequence[float], confidence: float = 0.95) -> Pooled:
    r"""Return the mean over settings of mean paired differences, with an interval for these settings.

    The settings' corrected variances add up, with the degrees of freedom of Welch and Satterthwaite:

    .. math:: v_k = s_k^2 (1/J_k + \mathrm{overlap}_k) / K^2, \quad
        \bar d \pm t_\nu \sqrt{\textstyle\sum_k v_k}, \quad
        \nu = \frac{(\sum_k v_k)^2}{\sum_k v_k^2 / (J_k - 1)}

    Settings in which the difference is defined in no seed are left out.

    Args:
        differences: by setting, one a seed; None where undefined.
        overlaps: by setting, see :func:`estimate`.
        confidence: of the interval.

    Example:
        >>> found = pool([[0.1, 0.2], [0.3, 0.2]], [0.0, 0.0])
        >>> round(found.mean, 3), round(found.error, 4), round(found.free, 3)
        (0.2, 0.0354, 2.0)

    Source: Satterthwaite, 1946, "An approximate distribution of estimates of variance components", Biometrics
    Bulletin 2; the variances as in :func:`estimate`.
    """
    known = [np.array([value for value in each if value is not None], dtype=float) for each in differences]
    kept = [(each, overlap) for each, overlap in zip(known, overlaps, strict=True) if len(each)]
    if not kept:
        return Pooled(None)
    mean = float(np.mean([each.mean() for each, _ in kept]))
    if any(len(each) < 2 for each, _ in kept):
        return Pooled(mean)
    variances = np.array([each.var(ddof=1) * (1 / len(each) + overlap) for each, overlap in kept]) / len(kept) ** 2
    if not (variances > ROUNDING**2).any():
        return Pooled(mean)
    each_free = np.array([len(each) - 1 for each, _ in kept])
    free = float(variances.sum() ** 2 / np.sum(variances**2 / each_free))
    error = math.sqrt(variances.sum())
    half = float(stats.t.ppf((1 + confidence) / 2, free)) * error
    return Pooled(mean, mean - half, mean + half, error, free)


def told_apart(difference: Mapping[str, Any]) -> Literal["above", "below", "level", "unknown"]:
    """Return whether a paired difference can be told from 0: the one rule by which tables and reports speak.

    "above" or "below" where the interval leaves out 0, "level" where it does not or where there was no
    difference in any seed, "unknown" where there is a difference and no interval to judge it by.

    Args:
        difference: the fields of an :class:`Estimate`.

    Example:
        >>> from dataclasses import asdict
        >>> [told_apart(asdict(estimate(d))) for d in ([0.1, 0.2], [0.1, 0.11], [0.1, 0.1], [0.0, 0.0])]
        ['level', 'above', 'unknown', 'level']
    """
    if difference["low"] is None:
        return "level" if difference["mean"] == 0 else "unknown"
    if difference["low"] > 0:
        return "above"
    return "below" if difference["high"] < 0 else "level"


def paired(values: Sequence[float | None], baseline: Sequence[float | None]) -> list[float | None]:
    """Return value minus baseline seed by seed; None where either is undefined.

    Example:
        >>> paired([0.75, 0.5, None], [0.5, None, 0.5])
        [0.25, None, None]
    """
    return [
        None if value is None or base is None else value - base for value, base in zip(values, baseline, strict=True)
    ]


def permutation_p(differences: Sequence[float], seed: int = 0) -> float:
    r"""Return the two-sided p of the paired permutation test on the mean difference.

    Under the null the sign of each difference is a coin's. p is the share of the :math:`2^J` sign patterns
    whose absolute sum is at least the one observed: exact up to 20 pairs, above from 9999 drawn patterns. The
    test takes the pairs as exchangeable; redrawn splits share samples, so read it beside the corrected
    interval.

    Args:
        differences: one a seed (J,).
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
    """Return the lowest p that the two-sided sign-flip test of so many pairs can give.

    That is 2 / 2^J where all patterns are enumerated, and 2 / (draws + 1) above.

    Example:
        >>> smallest_p(5), round(smallest_p(10), 5), smallest_p(30)
        (0.0625, 0.00195, 0.0002)
    """
    return min(1.0, 2.0 ** (1 - pairs)) if pairs <= EXACT_UP_TO else 2 / (DRAWS + 1)


def seeds_needed(comparisons: int, level: float = LEVEL) -> int:
    """Return the fewest seeds with which a Holm-corrected exact p can reach ``level`` in every comparison.

    Example:
        >>> seeds_needed(1), seeds_needed(4)
        (6, 8)
    """
    return math.ceil(1 + math.log2(comparisons / level))


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Return Holm's step-down adjusted p values: :math:`\max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`.

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


def detectable_difference(error: float, free: float, level: float = LEVEL, power: float = 0.8) -> float:
    r"""Return the true mean difference that a two-sided t test would find with probability ``power``.

    With :math:`T'(\delta)` the non-central t of ``free`` degrees of freedom, it is the :math:`d` for which
    :math:`P(|T'(d / \mathrm{error})| > t_{1-\alpha/2}) =` ``power``. A smaller difference may well be there and not
    be seen.

    Args:
        error: standard error of the mean difference, :math:`s \sqrt{1/J + \mathrm{overlap}}`.
        free: degrees of freedom, J - 1 for J pairs.
        level: of the test; divided by the number of comparisons it bounds what Holm's correction allows.
        power: wanted probability.

    Example:
        >>> round(detectable_difference(error=0.01, free=9), 4)  # 10 seeds
        0.0315
    """
    bound = float(stats.t.ppf(1 - level / 2, free))
    # P(|T'| > bound) as a mean over the chi-square variable in it: scipy's own non-central t fails far out.
    spread = bound * np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, free) / free)

    def missing(delta: float) -> float:
        return float(np.mean(stats.norm.cdf(delta - spread) + stats.norm.cdf(-delta - spread))) - power

    return error * float(optimize.brentq(missing, 0.0, 10 * bound + 10))  # pyright: ignore[reportArgumentType]
