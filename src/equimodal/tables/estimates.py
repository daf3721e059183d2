"""Cells that show an estimate: a mean with its interval, a paired difference, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equimodal.statistics.verdict import verdict
from equimodal.tables.table import Cell
from equimodal.tables.words import interval, number

VERDICTS = {
    "above": "better",
    "below": "worse",
    "level": "within noise",
    "few": "too few seeds",
    "unknown": "not judged",
}
"""The verdict on a difference, in words, for numbers of which more is better."""
DIRECTIONS = {**VERDICTS, "above": "higher", "below": "lower"}
"""The verdict on a difference, in words, for numbers in general."""


def mean_cell(
    numbers: Mapping[str, Any],
    digits: int = 3,
    *,
    spread: bool = True,
    median: bool = False,
    best: bool = False,
    undefined: str = "undefined",
) -> Cell:
    """Return a cell about one mean.

    Args:
        numbers: the fields of an `equimodal.statistics.estimates.Estimate`.
        digits: after the decimal point.
        spread: show half of the interval.
        median: show the median.
        best: mark the cell, see `Table.best`.
        undefined: shown where the number is undefined in every seed.
    """
    if numbers["mean"] is None:
        return Cell(undefined)
    parts = []
    if spread and numbers["low"] is not None:
        parts.append(f"± {number((numbers['high'] - numbers['low']) / 2, digits)}")
    if median:
        parts.append(f"({number(numbers['median'], digits)})")
    if numbers["undefined"]:
        parts.append(f"({numbers['undefined']} undefined)")
    return Cell(number(numbers["mean"], digits), " ".join(parts), best)


def difference_cell(numbers: Mapping[str, Any] | None, digits: int = 3) -> Cell:
    """Return a cell about a paired difference; a dash where there is none."""
    if numbers is None:
        return Cell(number(None))
    ends = "" if numbers["low"] is None else interval(numbers["low"], numbers["high"], digits, sign=True)
    return Cell(number(numbers["mean"], digits, sign=True), ends)


def verdict_cell(difference: Mapping[str, Any] | None) -> Cell:
    """Return the verdict on a difference in words; a row without a difference is the baseline."""
    return Cell("baseline" if difference is None else VERDICTS[verdict(difference)])
