"""Whether a paired difference is more than noise: the one rule that tables, reports and figures use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

FEWEST = 5
"""Fewest pairs from which a verdict is given (ours), see `verdict`."""

Verdict = Literal["above", "below", "level", "few", "unknown"]


def verdict(difference: Mapping[str, Any]) -> Verdict:
    r"""Return what a paired difference amounts to.

    - "few": there are fewer than `FEWEST` pairs (seeds, or seeds times settings), whatever they say.
    - "above", "below": the 95% interval excludes 0.
    - "level": the interval includes 0, or every pair has the difference 0.
    - "unknown": the difference is undefined, or it is the same in every pair, so that there is no interval.

    Why five: a few differences often agree by chance. The standard deviation of $J$ normal values is less than half of
    the true one with probability $P(\chi^2_{J-1} < (J-1)/4)$: 38% for two, 22% for three, 9% for five. Among several
    methods one such agreement is likely, and it would be the one that is reported as better.

    Args:
        difference: the fields of an `Estimate` or a `Pooled` (`equimodal.statistics.estimates`).

    Example:
        >>> from dataclasses import asdict
        >>> from equimodal.statistics.estimates import estimate
        >>> seeds = [0.021, 0.025, 0.031, 0.027, 0.022]
        >>> verdict(asdict(estimate(seeds))), verdict(asdict(estimate(seeds[:3])))
        ('above', 'few')
        >>> verdict(asdict(estimate([-0.1, 0.2, 0.1, -0.2, 0.1]))), verdict(asdict(estimate([0.1] * 5)))
        ('level', 'unknown')
    """
    if difference["mean"] is None:
        return "unknown"
    if difference["count"] < FEWEST:
        return "few"
    if difference["low"] is None:
        return "level" if difference["mean"] == 0 else "unknown"
    if difference["low"] > 0:
        return "above"
    return "below" if difference["high"] < 0 else "level"
