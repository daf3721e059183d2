"""What an analysis comes to over all its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from equimodal.evaluate.analyses.base import Analysis, Found, Line
from equimodal.evaluate.analyses.tables import SCORES, SMALLEST
from equimodal.evaluate.statistics import paired, pool, told_apart
from equimodal.evaluate.tables.blocks import SAID, Block, Cell, Column, difference_cell
from equimodal.evaluate.words import number

TITLE = "Over all settings"
NOTE = (
    "Mean over the settings of each setting's mean, and of its mean paired difference. Intervals are for these "
    "settings: their variances add up."
)


def overall(settings: Mapping[str, Found], analysis: type[Analysis]) -> Block | None:
    """Return the differences of one recipe over all settings; None for a single one.

    Rows are those of :meth:`Analysis.lines` that every setting has.

    Args:
        settings: by label, what was found of the recipe.
        analysis: what lays it out.
    """
    if len(settings) < 2:
        return None
    each = {label: {line.name: line for line in analysis.lines(found)} for label, found in settings.items()}
    names = [name for name in next(iter(each.values())) if all(name in lines for lines in each.values())]

    def column(header: str, cell: Callable[[list[tuple[Found, Line]]], Cell]) -> Column:
        rows = ([(found, each[label][name]) for label, found in settings.items()] for name in names)
        return Column(header, tuple(map(cell, rows)))

    columns = []
    for key, _, header, digits in SCORES:
        columns += [
            column(header, lambda row, key=key, digits=digits: _mean(row, key, digits)),
            column(
                "difference" if key == "accuracy" else f"{header} difference",
                lambda row, key=key, digits=digits: _difference(row, key, digits),
            ),
        ]
        if key == "accuracy":
            columns.append(column("verdict", _verdict))
    columns += [
        column(f"{header}: difference", lambda row, key=key: _difference(row, key, 3))
        for key, header in analysis.also.items()
    ]
    return Block(TITLE, f"{NOTE} {SMALLEST}", tuple(names), tuple(columns))


def _pooled(row: list[tuple[Found, Line]], column: str) -> dict[str, float | None]:
    differences = [paired(found.values(line.group, column), found.values(line.against, column)) for found, line in row]
    return asdict(pool(differences, [found.comparison.overlap for found, _ in row]))


def _difference(row: list[tuple[Found, Line]], column: str, digits: int) -> Cell:
    return difference_cell(_pooled(row, column) if row[0][1].against else None, digits)


def _mean(row: list[tuple[Found, Line]], column: str, digits: int) -> Cell:
    known = [mean for found, line in row if (mean := found.summary(line.group, column).mean) is not None]
    return Cell(number(float(np.mean(known)), digits) if known else "undefined")


def _verdict(row: list[tuple[Found, Line]]) -> Cell:
    return Cell(SAID[told_apart(_pooled(row, "accuracy"))] if row[0][1].against else "baseline")
