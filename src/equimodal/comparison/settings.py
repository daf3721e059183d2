"""Methods over several settings: how far each falls behind the best of a setting, and where that is significant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from equimodal.comparison.numbers import Numbers
from equimodal.config.compare import Primary
from equimodal.statistics.estimates import estimate, paired
from equimodal.statistics.permutation import LEVEL, holm, permutation_p
from equimodal.statistics.verdict import verdict


@dataclass(frozen=True)
class Regret:
    """One method over all settings.

    Args:
        mean: mean over settings of its mean; None if it has no number in one of them.
        worst: its largest distance to the best method's mean of a setting, at least 0; None as `mean`.
        setting: where that is; where the number is missing, if it is.
    """

    mean: float | None
    worst: float | None
    setting: str


def mean_of(comparison: Numbers, method: str, column: str) -> float | None:
    """Return the mean over the seeds in which a column is defined; None if it is defined in none."""
    return estimate(comparison.values(method, column)).mean


def regrets(comparisons: Mapping[str, Numbers], column: str = "accuracy") -> dict[str, Regret]:
    """Return mean and worst regret of each method: what choosing it for all settings may cost in one of them.

    Args:
        comparisons: the same methods by setting's label.
        column: of which more is better.

    Source: minimax regret, Savage, 1951, "The theory of statistical decision", JASA 46.
    """
    methods = next(iter(comparisons.values())).methods
    means = {label: {method: mean_of(c, method, column) for method in methods} for label, c in comparisons.items()}
    found = {}
    for method in methods:
        missing = [label for label, each in means.items() if each[method] is None]
        if missing:
            found[method] = Regret(None, None, missing[0])
            continue
        own = {label: each[method] or 0.0 for label, each in means.items()}
        behind = {
            label: max(value for value in each.values() if value is not None) - own[label]
            for label, each in means.items()
        }
        where = max(behind, key=lambda label: behind[label])
        found[method] = Regret(sum(own.values()) / len(own), behind[where], where)
    return found


@dataclass(frozen=True)
class Loss:
    """A setting in which a method is significantly behind another.

    Args:
        setting: its label.
        against: label of the method that is ahead.
        mean: mean paired difference in accuracy, below 0.
        low: lower end of its 95% interval.
        high: upper end.
        p_holm: of the paired permutation test, corrected for the number of settings.
    """

    setting: str
    against: str
    mean: float
    low: float
    high: float
    p_holm: float


@dataclass(frozen=True)
class Losses:
    """The settings in which one method is significantly behind others.

    Args:
        method: its label.
        against: the methods that it was held against.
        settings: how many settings.
        pairs: fewest pairs (seeds) of a setting and method; with few the test can find nothing.
        found: one per setting and method that is ahead.
    """

    method: str
    against: tuple[str, ...]
    settings: int
    pairs: int
    found: tuple[Loss, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the losses as JSON-safe values."""
        return {**asdict(self), "against": list(self.against), "found": [asdict(loss) for loss in self.found]}


def focus(declared: Sequence[Primary]) -> str | None:
    """Return the method that all declared comparisons are about; None without one."""
    methods = {primary.method for primary in declared}
    return methods.pop() if len(methods) == 1 else None


def significant_losses(comparisons: Mapping[str, Numbers], method: str) -> Losses:
    """Return the settings in which a method is significantly behind another in accuracy.

    As for declared comparisons both must agree: the 95% interval of the paired difference lies below 0 (from five
    seeds on, see `equimodal.statistics.verdict`), and the p of the paired permutation test is at most the level,
    corrected by Holm over the settings, for each other method by itself.

    Args:
        comparisons: the same methods by setting's label.
        method: label of the method.
    """
    others = tuple(other for other in next(iter(comparisons.values())).methods if other != method)
    found, pairs = [], []
    for other in others:
        p_values = {}
        for label, comparison in comparisons.items():
            each = paired(comparison.values(method, "accuracy"), comparison.values(other, "accuracy"))
            known = [value for value in each if value is not None]
            pairs.append(len(known))
            if known:
                p_values[label] = permutation_p(known)
        for label, p in zip(p_values, holm(list(p_values.values())), strict=True):
            difference = comparisons[label].difference(method, other, "accuracy")
            if verdict(asdict(difference)) != "below" or p > LEVEL:
                continue
            assert difference.mean is not None and difference.low is not None and difference.high is not None
            found.append(Loss(label, other, difference.mean, difference.low, difference.high, p))
    return Losses(method, others, len(comparisons), min(pairs, default=0), tuple(found))
