"""Means with intervals: of per-seed numbers, of paired differences, and pooled over settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

ROUNDING = 1e-9
"""Relative difference up to which two values count as equal: accuracies are multiples of 1/n, so sums often tie."""


@dataclass(frozen=True)
class Estimate:
    """What some seeds say about one number.

    Args:
        mean: over the seeds in which the number is defined; None if it is undefined in all of them.
        low: lower end of the interval of the mean; None if the seeds have no spread: fewer than two values, or all
            values the same.
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
    r"""Return mean, median and t interval of per-seed values; None values are counted and left out.

    $$\bar x \pm t_{J-1}\, s \sqrt{1/J + \mathrm{overlap}}$$

    With `overlap` 0 this is Student's interval. Seeds that redraw the split share samples. Their values are
    correlated, and Student's interval is too short: there `overlap` is $n_\text{test}/n_\text{train}$.

    If all values are the same there is no interval (ours): accuracies are coarse, so a few seeds agree by chance, and
    an interval of zero width would suggest certainty.

    Args:
        values: one per seed (J,).
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
        mean: of the settings' mean differences; None if the difference is undefined everywhere.
        low: lower end of the interval of the mean; None if there is no spread, or a setting has one seed only.
        high: upper end.
        error: standard error of the mean; None without interval.
        free: its degrees of freedom.
        count: pairs in which the difference is defined: seeds times settings.
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    free: float | None = None
    count: int = 0


def pool(differences: Sequence[Sequence[float | None]], overlaps: Sequence[float], confidence: float = 0.95) -> Pooled:
    r"""Return the mean over settings of mean paired differences, with an interval for these settings.

    The settings' corrected variances add up, with the degrees of freedom of Welch and Satterthwaite:

    $$v_k = s_k^2 (1/J_k + \mathrm{overlap}_k) / K^2, \quad
    \bar d \pm t_\nu \sqrt{\textstyle\sum_k v_k}, \quad
    \nu = \frac{(\sum_k v_k)^2}{\sum_k v_k^2 / (J_k - 1)}$$

    Settings in which the difference is undefined in every seed are left out.

    Args:
        differences: one sequence per setting, with one value per seed; None where undefined.
        overlaps: one per setting, see `estimate`.
        confidence: of the interval.

    Example:
        >>> found = pool([[0.1, 0.2], [0.3, 0.2]], [0.0, 0.0])
        >>> round(found.mean, 3), round(found.error, 4), round(found.free, 3), found.count
        (0.2, 0.0354, 2.0, 4)

    Source: Satterthwaite, 1946, "An approximate distribution of estimates of variance components", Biometrics
    Bulletin 2; the variances as in `estimate`.
    """
    known = [np.array([value for value in each if value is not None], dtype=float) for each in differences]
    kept = [(each, overlap) for each, overlap in zip(known, overlaps, strict=True) if len(each)]
    if not kept:
        return Pooled(None)
    mean = float(np.mean([each.mean() for each, _ in kept]))
    count = sum(len(each) for each, _ in kept)
    if any(len(each) < 2 for each, _ in kept):
        return Pooled(mean, count=count)
    variances = np.array([each.var(ddof=1) * (1 / len(each) + overlap) for each, overlap in kept]) / len(kept) ** 2
    if not (variances > ROUNDING**2).any():
        return Pooled(mean, count=count)
    each_free = np.array([len(each) - 1 for each, _ in kept])
    free = float(variances.sum() ** 2 / np.sum(variances**2 / each_free))
    error = math.sqrt(variances.sum())
    half = float(stats.t.ppf((1 + confidence) / 2, free)) * error
    return Pooled(mean, mean - half, mean + half, error, free, count)


def paired(values: Sequence[float | None], baseline: Sequence[float | None]) -> list[float | None]:
    """Return value minus baseline seed by seed; None where either is undefined.

    Example:
        >>> paired([0.75, 0.5, None], [0.5, None, 0.5])
        [0.25, None, None]
    """
    return [
        None if value is None or base is None else value - base for value, base in zip(values, baseline, strict=True)
    ]
