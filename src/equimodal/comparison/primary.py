"""The comparisons that a study decides, declared before any result was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from equimodal.comparison.numbers import Numbers
from equimodal.config.compare import Primary
from equimodal.statistics.estimates import paired, pool
from equimodal.statistics.permutation import LEVEL, holm, permutation_p, smallest_p
from equimodal.statistics.power import detectable_difference
from equimodal.tables.words import interval, number


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
        smallest_p: the lowest p that this number of pairs can give.
        detectable: the true difference that would be found with probability .8, at the level divided by the number of
            declared comparisons; None without spread.
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
        """Whether the corrected p is at most the level *and* the interval excludes 0 (ours).

        The test treats redrawn splits as independent, the interval does not; a difference has to pass both.
        """
        return self._rejected and self.low is not None and self.high is not None and self.low * self.high > 0

    @property
    def _rejected(self) -> bool:
        return self.p_holm is not None and self.p_holm <= LEVEL

    def __str__(self) -> str:
        if self.mean is None:
            return f"{self.primary}: undefined in every seed."
        ends = "" if self.low is None or self.high is None else f" {interval(self.low, self.high, sign=True)}"
        verdict = "a difference" if self.decided else "cannot be distinguished from noise"
        if self._rejected and not self.decided:
            verdict = "open: the test finds a difference, and the interval does not"
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


def decide(comparisons: Mapping[str, Numbers], declared: Sequence[Primary]) -> list[Decision]:
    """Return the outcome of each declared comparison, with p values corrected by Holm for their number.

    A comparison over several settings takes the mean of the settings' mean differences. Its interval adds up the
    settings' corrected variances (degrees of freedom of Welch and Satterthwaite), and the permutation test flips the
    sign of every (setting, seed) pair independently.

    Args:
        comparisons: by setting's label.
        declared: see `equimodal.config.compare.Primary`.

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


def declared_decisions(comparison: Numbers) -> list[Decision]:
    """Return the outcome of the comparisons that the configuration of one comparison declares."""
    configuration = comparison.provenance.get("configuration") or {}
    declared = configuration.get("compare", {}).get("primary", [])
    label = str(comparison.provenance.get("data", "data"))
    return decide({label: comparison}, [Primary.model_validate(primary) for primary in declared])


def _decide(comparisons: Mapping[str, Numbers], primary: Primary, declared: int) -> Decision:
    chosen = [c for label, c in comparisons.items() if primary.setting in (None, label)]
    differences = [
        paired(c.values(primary.method, primary.column), c.values(primary.against, primary.column)) for c in chosen
    ]
    known = [value for each in differences for value in each if value is not None]
    lowest = smallest_p(len(known))
    found = pool(differences, [comparison.overlap for comparison in chosen])
    if found.mean is None:
        return Decision(primary, None, None, None, None, None, lowest, None, 0)
    low, high, detectable = found.low, found.high, None
    if found.error is not None and found.free is not None:
        if len(chosen) == 1:  # on a fixed split, the bootstrap includes test groups
            alone = chosen[0].difference(primary.method, primary.against, primary.column)
            low, high = alone.low, alone.high
        detectable = detectable_difference(found.error, found.free, LEVEL / declared)
    return Decision(primary, found.mean, low, high, permutation_p(known), None, lowest, detectable, len(known))
