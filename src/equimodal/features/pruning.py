"""Which features to remove, and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equimodal.errors import ConfigError
from equimodal.features.entry import remove
from equimodal.features.listing import Listed
from equimodal.features.place import lock_of
from equimodal.locks import free

DAY = 24 * 60 * 60.0


@dataclass(frozen=True)
class Rule:
    """What is to be removed. Of several rules each removes what it names.

    Args:
        everything: all features.
        older_than: those that were not used for so many days.
        stale: those that are of no use any more, see `Listed`.
        keep_size: the longest unused ones, until the others have at most so many GB (1 GB is 1e9 bytes).

    Raises:
        ConfigError: a number is below 0, or nothing is said.
    """

    everything: bool = False
    older_than: float | None = None
    stale: bool = False
    keep_size: float | None = None

    def __post_init__(self) -> None:
        problems = [
            f"{option}: expected a number from 0, got {value:g}."
            for option, value in {"--older-than": self.older_than, "--keep-size": self.keep_size}.items()
            if value is not None and not 0 <= value < float("inf")
        ]
        if not (self.everything or self.stale or self.older_than is not None or self.keep_size is not None):
            problems.append(
                "Say what to remove: --older-than DAYS, --stale, --keep-size GB (the longest unused go first) or --all."
            )
        if problems:
            raise ConfigError(problems)

    def chosen(self, listed: Sequence[Listed], now: float) -> list[Listed]:
        """Return what to remove.

        Args:
            listed: what there is.
            now: seconds since 1970.
        """
        old = float("-inf") if self.older_than is None else now - self.older_than * DAY
        gone = [each for each in listed if self.everything or each.used < old or (self.stale and each.stale)]
        if self.keep_size is not None:
            rest = sorted((each for each in listed if each not in gone), key=lambda each: each.used)
            room = sum(each.size for each in rest) - self.keep_size * 1e9
            for each in rest:
                if room <= 0:
                    break
                gone.append(each)
                room -= each.size
        return [each for each in listed if each in gone]


def prune(chosen: Sequence[Listed]) -> list[Listed]:
    """Remove features, and return those that stay: a process is writing them, or they may not be removed."""
    left = []
    for each in chosen:
        with free(lock_of(each.folder)) as held:
            if not held or not remove(each.folder):
                left.append(each)
    return left
