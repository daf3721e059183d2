"""What an analysis comes to over all its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equimodal.analyses.base import Analysis, Found, Line
from equimodal.analyses.tables import SMALLEST, score_columns
from equimodal.statistics.estimates import Pooled, paired, pool
from equimodal.tables.estimates import difference_cell, verdict_cell
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import number

TITLE = "Over all settings"
NOTE = (
    "Mean over the settings of each setting's mean, and of its mean paired difference. Intervals are for these "
    "settings: their variances add up."
)


@dataclass(frozen=True)
class Overall:
    """One recipe over all settings.

    Args:
        settings: by label, what was found of the recipe.
        analysis: what lays it out.
    """

    settings: Mapping[str, Found]
    analysis: type[Analysis]

    @cached_property
    def lines(self) -> dict[str, list[tuple[Found, Line]]]:
        """Each row of :meth:`Analysis.lines` that every setting has, by its name: the row in each setting."""
        each = [(found, {line.name: line for line in self.analysis.lines(found)}) for found in self.settings.values()]
        names = [name for name in each[0][1] if all(name in lines for _, lines in each)]
        return {name: [(found, lines[name]) for found, lines in each] for name in names}

    @property
    def compared(self) -> tuple[str, ...]:
        """Names of the rows that are set against another."""
        return tuple(name for name, line in self.lines.items() if line[0][1].against)

    def mean(self, name: str, column: str) -> float | None:
        """Return the mean over the settings of a column's means; None where it is defined in none."""
        means = [found.summary(line.group, column).mean for found, line in self.lines[name]]
        known = [mean for mean in means if mean is not None]
        return float(np.mean(known)) if known else None

    def difference(self, name: str, column: str) -> Pooled:
        """Return a row's paired difference to what it is set against, over all settings."""
        pairs = [
            paired(found.values(line.group, column), found.values(line.against, column))
            for found, line in self.lines[name]
        ]
        return pool(pairs, [found.comparison.overlap for found in self.settings.values()])

    def block(self) -> Table:
        """Return it as a table."""
        columns = score_columns(self._means, self._differences, self._column("verdict", self._verdict))
        columns += [self._differences(key, f"{header}: difference") for key, header in self.analysis.also.items()]
        return Table(TITLE, f"{NOTE} {SMALLEST}", tuple(self.lines), tuple(columns))

    def _column(self, header: str, cell: Callable[[str], Cell]) -> Column:
        return Column(header, tuple(map(cell, self.lines)))

    def _means(self, column: str, header: str, digits: int) -> Column:
        def cell(name: str) -> Cell:
            mean = self.mean(name, column)
            return Cell("undefined" if mean is None else number(mean, digits))

        return self._column(header, cell)

    def _differences(self, column: str, header: str, digits: int = 3) -> Column:
        return self._column(header, lambda name: difference_cell(self._told(name, column), digits))

    def _verdict(self, name: str) -> Cell:
        return verdict_cell(self._told(name, "accuracy"))

    def _told(self, name: str, column: str) -> dict[str, Any] | None:
        return asdict(self.difference(name, column)) if name in self.compared else None
