"""What a measurement of contributions found, with its provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from equimodal.contribution.bootstrap import Interval
from equimodal.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Intervals:
    """Bootstrap percentile intervals; shares and EDM have none where they are undefined.

    Replicates whose shares are undefined are left out of the intervals of shares and EDM (see
    `Contribution.undefined_replicates`) and kept in all others.

    Args:
        phi: of the Shapley values.
        shares: of the shares, or None.
        edm: of EDM, or None.
        alone: of v({m}) - v(empty), what a modality adds to the prior; where coalitions were sampled, of the modalities
            whose coalition is among them.
        last: of v(all) - v(all without m), what a modality adds to all others; as `alone`.
        interactions: of the pairwise Shapley interactions, by pair; empty where those are not known.
    """

    phi: dict[str, Interval]
    shares: dict[str, Interval] | None
    edm: Interval | None
    alone: dict[str, Interval] = field(default_factory=dict)
    last: dict[str, Interval] = field(default_factory=dict)
    interactions: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Contribution:
    """How much each modality contributes, how far that is from equilibrium, and how sure this is.

    Returned by `equimodal.contribution.contribution` and `equimodal.diagnose`.

    Args:
        modalities: names, in the data's order; every mapping below has them as keys.
        value: name of the value function.
        phi: Shapley values, in units of the value; they sum to `value_all - value_empty`.
        shares: psi = phi / sum phi; None where that sum is not above 0 (`reason` says so).
        target: eta, the shares that count as equilibrium.
        deviation: psi - eta, or None.
        edm: sum of |psi - eta|, or None.
        minor: modalities whose deviation is below 0, the lowest first, whatever the reason; see `standing`.
        dominant: modalities whose deviation is above 0, the highest first.
        value_empty: v of no modality, what the prior alone scores.
        value_all: v of all modalities.
        coalition_values: v of every coalition by name, such as `"audio+image"` and `""`; None if
            estimated.
        interactions: pairwise Shapley interaction by name, such as `"audio+image"`; None if estimated.
        intervals: bootstrap intervals; None without a bootstrap.
        share_covariance: bootstrap covariance of the shares, in the order of `modalities`, or None.
        noise_floor: EDM expected if the true shares were on target, or None.
        undefined_replicates: bootstrap replicates whose shares are undefined.
        reason: why shares and EDM are None, or None.
        notes: what a reader of the numbers must know.
        exact: whether all coalitions were evaluated; if not, phi is estimated from sampled orders.
        coalitions: how many coalitions were evaluated.
        budget: the greatest number allowed.
        sampling_seed: seed of the sampled orders; None if exact.
        sampling_errors: standard errors of phi due to sampling orders; None if exact.
        seed: seed of the bootstrap.
        bootstrap: the number of replicates; 0 for none.
        confidence: of the intervals.
        samples: the number of samples; None for a game that returns values only.
        groups: the number of groups of the data; None where rows stand alone.
        split: name of the data measured, or None.
        resampled: what the bootstrap drew, "rows" or "groups: 8"; None without a bootstrap. With one or two groups it
            is "rows", there are no intervals, and a note says so.
        coalition_errors: bootstrap standard error of each of `coalition_values`, or None.

    Example:
        >>> import torch
        >>> from equimodal.contribution import contribution, plan
        >>> c = contribution(torch.tensor([0.1, 0.5, 0.3, 0.9]), plan(2), None, ["audio", "image"])
        >>> c.dominant, round(c.edm, 3), Contribution.from_dict(c.to_dict()) == c
        (('audio',), 0.25, True)
    """

    modalities: tuple[str, ...]
    value: str
    phi: dict[str, float]
    shares: dict[str, float] | None
    target: dict[str, float]
    deviation: dict[str, float] | None
    edm: float | None
    minor: tuple[str, ...]
    dominant: tuple[str, ...]
    value_empty: float
    value_all: float
    coalition_values: dict[str, float] | None
    interactions: dict[str, float] | None
    intervals: Intervals | None
    share_covariance: tuple[tuple[float, ...], ...] | None
    noise_floor: float | None
    undefined_replicates: int
    reason: str | None
    notes: tuple[str, ...]
    exact: bool
    coalitions: int
    budget: int
    sampling_seed: int | None
    sampling_errors: dict[str, float] | None
    seed: int
    bootstrap: int
    confidence: float
    samples: int | None
    groups: int | None
    split: str | None
    resampled: str | None = None
    coalition_errors: dict[str, float] | None = None

    @property
    def share_errors(self) -> dict[str, float] | None:
        """Bootstrap standard error of each share, or None."""
        if self.share_covariance is None:
            return None
        return {name: math.sqrt(self.share_covariance[i][i]) for i, name in enumerate(self.modalities)}

    def share_difference_error(self, first: str, second: str) -> float | None:
        """Return the bootstrap standard error of the difference between two modalities' shares, or None.

        Shares are correlated, since they sum to 1: their own errors are not enough to compute this one.

        Raises:
            ConfigError: a name is not a modality.
        """
        for name in (first, second):
            if name not in self.modalities:
                raise ConfigError(f"Unknown modality '{name}'.{did_you_mean(name, self.modalities)}")
        if self.share_covariance is None:
            return None
        i, j = self.modalities.index(first), self.modalities.index(second)
        covariance = self.share_covariance
        return math.sqrt(max(0.0, covariance[i][i] + covariance[j][j] - 2 * covariance[i][j]))

    def standing(self, name: str, knows: bool | None = None) -> str:
        """Return how a modality stands to its target in a word or two: "minor", "dominant", or nothing.

        A modality that knows nothing is not minor: more training cannot help it. Where that is not known, and the
        modality alone is not better than the prior by more than noise, its share is called "below target".

        Args:
            name: of a modality.
            knows: whether a model trained on it alone is better than the prior; None: not known.
        """
        if knows is False:
            return "knows nothing alone"
        if name in self.dominant:
            return "dominant"
        if name not in self.minor:
            return ""
        nothing_shown = shown(self.intervals and self.intervals.alone, name) is False
        return "below target" if knows is None and nothing_shown else "minor"

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings that JSON takes as they are (no NaN)."""
        return _adapter().dump_python(self, mode="json")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Contribution:
        """Return the result whose `to_dict` is given.

        Raises:
            DataError: fields are missing or of a wrong type.
        """
        from pydantic import ValidationError

        try:
            return _adapter().validate_python(dict(fields))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
            )
            raise DataError(f"Not the dict of a Contribution: {problems}.") from error

    def __str__(self) -> str:
        return self.describe()

    def describe(self, knows: Mapping[str, bool | None] | None = None) -> str:
        """Return the result as text.

        Args:
            knows: by modality, whether a model trained on it alone is better than the prior, where that is known.
        """
        how = f"exact over {self.coalitions} coalitions"
        if not self.exact:
            how = f"estimated from {self.coalitions} coalitions, seed {self.sampling_seed}"
        where = f"{self.split}, " if self.split else ""
        samples = f"{self.samples} sample{'s' * (self.samples > 1)}, " if self.samples else ""
        lines = [f"Contribution to {self.value} ({where}{samples}{how})", *_aligned(self._rows(knows or {}))]
        if self.edm is None:
            lines.append(f"EDM  undefined: {self.reason}")
        else:
            edm = self.intervals and self.intervals.edm
            interval = f" [{edm.low:.3f}, {edm.high:.3f}]" if edm else ""
            floor = "" if self.noise_floor is None else f", noise floor {self.noise_floor:.3f}"
            drawn = f" (resampled: {self.resampled})" if edm else ""
            lines.append(f"EDM  {self.edm:.3f}{interval}{floor}{drawn}")
        lines.append(f"v    none {self.value_empty:.3f}, all {self.value_all:.3f}")
        if self.interactions:
            strongest = sorted(self.interactions.items(), key=lambda pair: -abs(pair[1]))[:3]
            ends = self.intervals.interactions if self.intervals else {}
            lines.append(
                "pairs " + ", ".join(f"{pair} {index:+.3f}{ends_in_words(ends.get(pair))}" for pair, index in strongest)
            )
        return "\n".join(lines + [f"note {note}" for note in self.notes])

    def _rows(self, knows: Mapping[str, bool | None]) -> list[list[str]]:
        rows = [["", "phi", "share", f"{self.confidence:.0%} interval", "target", "deviation", ""]]
        intervals = self.intervals and self.intervals.shares
        for name in self.modalities:
            row = [name, f"{self.phi[name]:.3f}", "-", "-", f"{self.target[name]:.3f}", "-", ""]
            if self.shares and self.deviation:
                row[2], row[5] = f"{self.shares[name]:.3f}", f"{self.deviation[name]:+.3f}"
            if intervals:
                row[3] = f"{intervals[name].low:.3f} to {intervals[name].high:.3f}"
            row[6] = self.standing(name, knows.get(name))
            rows.append(row)
        return rows


def ends_in_words(interval: Interval | None) -> str:
    """Return an interval as it follows a number that has a sign; nothing without interval."""
    return "" if interval is None else f" [{interval.low:+.3f}, {interval.high:+.3f}]"


def shown(intervals: Mapping[str, Interval] | None, name: str) -> bool | None:
    """Return whether a gain is above 0 by more than noise: its interval lies above 0; None without interval.

    Example:
        >>> ends = {"a": Interval(0.1, 0.2, 0.3), "b": Interval(-0.1, 0.0, 0.1)}
        >>> shown(ends, "a"), shown(ends, "b"), shown(ends, "c"), shown(None, "a")
        (True, False, None, None)
    """
    if intervals is None or name not in intervals:
        return None
    return intervals[name].low > 1e-12  # differences of equal values may not cancel to the last bit


def _aligned(rows: list[list[str]]) -> list[str]:
    """Align a table: first and last columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *numbers, last in rows:
        cells = [
            first.ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(numbers, widths[1:], strict=False)),
            last,
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines


@cache
def _adapter() -> Any:
    """Return pydantic's reader and writer of the class; imported here because only files need it."""
    from pydantic import TypeAdapter

    return TypeAdapter(Contribution)
