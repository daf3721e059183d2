"""What a model scores where entries are missing at random, from the values of its coalitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from equimodal.errors import ConfigError

RATES = tuple(rate / 10 for rate in range(10))
"""Rates of missing entries over which a curve is drawn and its area taken."""


def value_missing(values: Mapping[str, float], n: int, rate: float) -> float | None:
    r"""Return the expected value where each entry (sample, modality) is missing independently; one at least is kept.

    $$\sum_{S \neq \varnothing} \frac{r^{n - |S|} (1 - r)^{|S|}}{1 - r^n} \, v(S)$$

    The sum is exact for values that are means over samples, such as accuracy: what a sample keeps does not depend on
    the sample. Samples that lack entries already keep what they have of S; `rate` then comes on top of that.

    Args:
        values: v(S) by the coalition's name, such as `"audio+image"`; the empty one is not used.
        n: the number of modalities.
        rate: r, from 0 to below 1.

    Returns:
        The expected value; None where a coalition's value is not known.

    Raises:
        ConfigError: the rate is not a number from 0 to below 1.

    Example:
        >>> value_missing({"": 0.1, "a": 0.6, "b": 0.4, "a+b": 0.8}, 2, 0.5)  # each of the three with weight 1/3
        0.6

    Source: ours.
    """
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 <= rate < 1:
        raise ConfigError(f"rate: expected the share of entries that are missing, from 0 to below 1, got {rate!r}.")
    r, known, by_size = float(rate), 0, [0.0] * (n + 1)
    for name, value in values.items():
        if name:
            by_size[name.count("+") + 1] += value
            known += 1
    if known < 2**n - 1:
        return None
    total = sum(r ** (n - size) * (1 - r) ** size * by_size[size] for size in range(1, n + 1))
    return total / (1 - r**n)


def area_missing(values: Mapping[str, float], n: int) -> float | None:
    """Return the area under the curve of `value_missing` over `RATES`, divided by their range: a mean over the rates.

    Args:
        values: v(S) by the coalition's name; the empty one is not used.
        n: the number of modalities.

    Returns:
        The area, by the trapezoidal rule; None where a coalition's value is not known.

    Example:
        >>> area_missing({"a": 0.5, "b": 0.5, "a+b": 0.5}, 2)
        0.5
    """
    curve = [value_missing(values, n, rate) for rate in RATES]
    known = [value for value in curve if value is not None]
    return area_under(known, RATES) if len(known) == len(RATES) else None


def area_under(values: Sequence[float], rates: Sequence[float]) -> float:
    """Return the area under a curve over ascending rates, by the trapezoidal rule, divided by their range.

    Example:
        >>> area_under([1.0, 0.0], [0.0, 0.5])
        0.5
    """
    return float(np.trapezoid(values, rates)) / (rates[-1] - rates[0])
