"""The comparisons that a study was to decide, declared before any result was seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from equimodal.compare_config import Primary
from equimodal.evaluate.comparison import Comparison
from equimodal.evaluate.statistics import (
    LEVEL,
    ROUNDING,
    detectable_difference,
    holm,
    paired,
    permutation_p,
    smallest_p,
)
from equimodal.evaluate.words import interval, number


@dataclass(frozen=True)
class Decision:
    """What the seeds say about one declared comparison.

    Args:
        primary: what was declared.
        mean: difference in the column, method minus the other; None where it is undefined in every seed.
        low: lower end of its 95% interval; None without spread.
        high: upper end.
        p: of the paired permutation test.
        p_holm: corrected for the number of declared comparisons.
        smallest_p: the lowest p that so many pairs could give.
        detectable: the difference that would have been found with probability .8, at the level divided by the number
            of declared comparisons; None without spread.
        pairs: seeds times settings.
    """

    primary: Primary
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    smallest_p: float
    detectable: float | None
    pairs: int

    @property
    def decided(self) -> bool:
        """Whether the corrected p is at most the level *and* the interval leaves out 0 (ours).

        The test takes redrawn splits for independent, the interval does not; a method should win by both.
        """
        return self._rejected and self.low is not None and self.high is not None and self.low * self.high > 0

    @property
    def _rejected(self) -> bool:
        return self.p_holm is not None and self.p_holm <= LEVEL

    def __str__(self) -> str:
        if self.mean is None:
            return f"{self.primary}: undefined in every seed."
        ends = "" if self.low is None or self.high is None else f" {interval(self.low, self.high, sign=True)}"
        verdict = "a difference" if self.decided else "cannot be told from noise"
        if self._rejected and not self.decided:
            verdict = "open, for the test finds a difference and the interval does not"
        power = ""
        if self.detectable is not None:
            power = f"; a difference of {number(self.detectable)} would have been found 4 times in 5"
        return (
            f"{self.primary}: {number(self.mean, sign=True)}{ends}, {verdict} (corrected p {self.p_holm:.3g}; "
            f"the smallest that {self.pairs} pairs can give is {self.smallest_p:.2g}{power})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as JSON-safe values."""
        return {**asdict(self), "primary": self.primary.model_dump(), "decided": self.decided}


def decide(comparisons: Mapping[str, Comparison], declared: Sequence[Primary]) -> list[Decision]:
    """Return what each declared comparison came to, p values corrected for one another by Holm.

    One over several settings takes the mean of the settings' mean differences. Its interval adds up the settings'
    corrected variances (Welch and Satterthwaite's degrees of freedom), and the permutation flips the sign of every
    (setting, seed) pair for itself.

    Args:
        comparisons: by setting's label.
        declared: see :class:`~equimodal.compare_config.Primary`.

    Raises:
        ConfigError: a comparison has no such method or column.
    """
    found = [_decide(comparisons, primary, len(declared)) for primary in declared]
    known = [i for i, decision in enumerate(found) if decision.p is not None]
    corrected = dict(zip(known, holm([found[i].p or 0.0 for i in known]), strict=True))
    return [
        Decision(**{**vars(decision), "p_holm": corrected.get(i)})  # a frozen dataclass, rebuilt
        for i, decision in enumerate(found)
    ]


def _decide(comparisons: Mapping[str, Comparison], primary: Primary, declared: int) -> Decision:
    chosen = [c for label, c in comparisons.items() if primary.setting in (None, label)]
    differences, errors, overlaps = [], [], []
    for comparison in chosen:
        pairs = paired(
            comparison.values(primary.method, primary.column), comparison.values(primary.against, primary.column)
        )
        known = np.array([pair for pair in pairs if pair is not None], dtype=float)
        if len(known):
            differences.append(known)
            overlaps.append(comparison.overlap)
    pooled = np.concatenate(differences) if differences else np.zeros(0)
    lowest = smallest_p(len(pooled))
    if not len(pooled):
        return Decision(primary, None, None, None, None, None, lowest, None, 0)
    mean = float(np.mean([known.mean() for known in differences]))
    errors = [_variance(known, overlap) for known, overlap in zip(differences, overlaps, strict=True)]
    low = high = detectable = None
    if all(error is not None for error, _ in errors) and any(error > ROUNDING**2 for error, _ in errors if error):
        variances = np.array([error for error, _ in errors], dtype=float) / len(errors) ** 2
        free = float(variances.sum() ** 2 / np.sum(variances**2 / np.array([df for _, df in errors])))
        error = math.sqrt(variances.sum())
        half = float(stats.t.ppf((1 + 0.95) / 2, free)) * error
        low, high = mean - half, mean + half
        if len(chosen) == 1:  # on a fixed split, test groups are drawn anew too
            found = chosen[0].difference(primary.method, primary.against, primary.column)
            low, high = found.low, found.high
        detectable = detectable_difference(error, free, LEVEL / declared)
    return Decision(primary, mean, low, high, permutation_p(pooled.tolist()), None, lowest, detectable, len(pooled))


def _variance(differences: np.ndarray, overlap: float) -> tuple[float | None, int]:
    """Return the corrected variance of a mean difference, and its degrees of freedom; None for one seed."""
    if len(differences) < 2:
        return None, 0
    return float(differences.var(ddof=1)) * (1 / len(differences) + overlap), len(differences) - 1
