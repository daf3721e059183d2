"""What each modality can do when it is trained alone: the unimodal ensemble, on one part of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from equimodal.contribution.bootstrap import Interval
from equimodal.contribution.result import Contribution, shown


@dataclass(frozen=True)
class Ability(Mapping[str, float]):
    """What each modality can do alone, on one part of the data; as a mapping, v({m}) by modality.

    Args:
        alone: v({m}) of each modality in the unimodal ensemble.
        shares: its share in the ensemble; None where the ensemble is no better than the prior, or not known.
        gains: bootstrap interval of v({m}) - v(empty); modalities for which it is not known are left out.

    Example:
        >>> ability = Ability({"a": 0.8, "b": 0.3}, None, {"a": Interval(0.4, 0.5, 0.6), "b": Interval(-0.1, 0.0, 0.1)})
        >>> ability["a"], ability.knows("a"), ability.knows("b")
        (0.8, True, False)
    """

    alone: dict[str, float]
    shares: dict[str, float] | None = None
    gains: dict[str, Interval] = field(default_factory=dict)

    @classmethod
    def of(cls, alone: Mapping[str, float], measured: Contribution) -> Ability:
        """Return the ability that the measured unimodal ensemble shows."""
        gains = measured.intervals.alone if measured.intervals else {}
        return cls(dict(alone), measured.shares, gains)

    def knows(self, modality: str) -> bool | None:
        """Return whether a modality, trained alone, is better than the label prior by more than noise.

        It is if the bootstrap interval of the paired difference lies above 0; rows are drawn, or whole groups where
        the data have groups. None: there is no interval (no bootstrap, or fewer than three groups).
        """
        return shown(self.gains, modality)

    @property
    def unknowing(self) -> tuple[str, ...]:
        """The modalities that know nothing alone."""
        return tuple(name for name in self.alone if self.knows(name) is False)

    def __getitem__(self, modality: str) -> float:
        return self.alone[modality]

    def __iter__(self) -> Iterator[str]:
        return iter(self.alone)

    def __len__(self) -> int:
        return len(self.alone)

    def to_dict(self) -> dict[str, Any]:
        """Return the ability as JSON-safe values."""
        return {
            "alone": self.alone,
            "shares": self.shares,
            "gains": {name: list(ends) for name, ends in self.gains.items()},
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Ability:
        """Return the ability whose `to_dict` is given; runs of older versions hold the values alone."""
        if not isinstance(plain.get("alone"), Mapping):
            return cls(dict(plain))
        gains = {name: Interval(*ends) for name, ends in plain["gains"].items()}
        return cls(dict(plain["alone"]), plain["shares"], gains)


Reference = Mapping[str, Ability]
"""What each modality can do alone, by split: "validation" and "test"."""


def read_reference(plain: Mapping[str, Mapping[str, Any]] | None) -> Reference | None:
    """Return a reference from JSON values, or None."""
    return None if plain is None else {split: Ability.from_dict(ability) for split, ability in plain.items()}


def plain_reference(reference: Reference | None) -> dict[str, dict[str, Any]] | None:
    """Return a reference as JSON-safe values, or None."""
    return None if reference is None else {split: ability.to_dict() for split, ability in reference.items()}
