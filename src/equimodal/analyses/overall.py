"""The result of an analysis over all its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equimodal.analyses.base import Analysis
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import SMALLEST, TableRow, score_columns
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
        settings: the recipe's result in each setting, by label.
        analysis: the analysis, whose rows these are.
    """

    settings: Mapping[str, SettingResult]
    analysis: type[Analysis]

    @cached_property
    def rows(self) -> dict[str, list[tuple[SettingResult, TableRow]]]:
        """Each row of `Analysis.rows` that every setting has, by its name: the row in each setting."""
        each = [(result, {row.name: row for row in self.analysis.rows(result)}) for result in self.settings.values()]
        names = [name for name in each[0][1] if all(name in rows for _, rows in each)]
        return {name: [(result, rows[name]) for result, rows in each] for name in names}

    @property
    def compared(self) -> tuple[str, ...]:
        """Names of the rows that are compared with a reference."""
        return tuple(name for name, rows in self.rows.items() if rows[0][1].against)

    def mean(self, name: str, column: str) -> float | None:
        """Return the mean over the settings of a column's means; None where it is defined in none."""
        means = [result.summary(row.group, column).mean for result, row in self.rows[name]]
        known = [mean for mean in means if mean is not None]
        return float(np.mean(known)) if known else None

    def difference(self, name: str, column: str) -> Pooled:
        """Return a row's paired difference to its reference, over all settings."""
        pairs = [
            paired(result.values(row.group, column), result.values(row.against, column))
            for result, row in self.rows[name]
        ]
        return pool(pairs, [result.comparison.overlap for result in self.settings.values()])

    def table(self, title: str = TITLE) -> Table:
        """Return the result as a table."""
        columns = score_columns(self._means, self._differences, self._column("verdict", self._verdict))
        columns += [
            self._differences(key, f"{header}: difference") for key, header in self.analysis.overall_columns.items()
        ]
        return Table(title, f"{NOTE} {SMALLEST}", tuple(self.rows), tuple(columns))

    def _column(self, header: str, cell: Callable[[str], Cell]) -> Column:
        return Column(header, tuple(map(cell, self.rows)))

    def _means(self, column: str, header: str, digits: int) -> Column:
        def cell(name: str) -> Cell:
            mean = self.mean(name, column)
            return Cell("undefined" if mean is None else number(mean, digits))

        return self._column(header, cell)

    def _differences(self, column: str, header: str, digits: int = 3) -> Column:
        return self._column(header, lambda name: difference_cell(self._change(name, column), digits))

    def _verdict(self, name: str) -> Cell:
        return verdict_cell(self._change(name, "accuracy"))

    def _change(self, name: str, column: str) -> dict[str, Any] | None:
        return asdict(self.difference(name, column)) if name in self.compared else None
