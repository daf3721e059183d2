"""What tables, sentences and declared comparisons read of a comparison, so that none of them has to import it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from equimodal.comparison.result import Failure
from equimodal.statistics.estimates import Estimate


class Numbers(Protocol):
    """The numbers of a comparison; `equimodal.comparison.comparison.Comparison` has them."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Labels of the methods, the baseline first."""
        ...

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        ...

    @property
    def redraw(self) -> str:
        """Whether each seed drew its own splits ("split") or all share one ("none")."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Data, configuration, command, versions."""
        ...

    @property
    def failures(self) -> Sequence[Failure]:
        """The runs that diverged."""
        ...

    @property
    def baseline(self) -> str:
        """Label of the method that the differences are taken against."""
        ...

    @property
    def overlap(self) -> float:
        """What the variance of seeds that share rows is corrected by."""
        ...

    def values(self, method: str, column: str) -> list[float | None]:
        """Return one column of one method, one value per seed."""
        ...

    def difference(self, method: str, against: str, column: str) -> Estimate:
        """Return what the seeds say about a method's column minus another's, paired by seed."""
        ...

    def table(self) -> list[dict[str, Any]]:
        """Return one row per method, with what the seeds say about each column."""
        ...
