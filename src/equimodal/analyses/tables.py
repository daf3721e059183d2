"""The tables of an analysis: rows of arms, each set against the one it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import NamedTuple

from equimodal.analyses.base import Found, Group, Line
from equimodal.statistics.estimates import Estimate
from equimodal.statistics.verdict import verdict
from equimodal.tables.estimates import DIRECTIONS, difference_cell, mean_cell, verdict_cell
from equimodal.tables.table import Column, Table
from equimodal.tables.words import interval, number


class Score(NamedTuple):
    """A number that every analysis shows: its column, what sentences and tables call it, and its digits."""

    column: str
    words: str
    header: str
    digits: int


SCORES = (
    Score("accuracy", "accuracy", "accuracy", 3),
    Score("edm", "EDM", "EDM", 2),
    Score("smallest_utilisation", "smallest utilisation", "smallest", 2),
)
SMALLEST = "Smallest: utilisation of the least used modality."
"""How to read the header."""


def lines_of_arms(found: Found) -> list[Line]:
    """Return a row for each arm."""
    return [Line(arm.words, (arm.label,), (arm.against,) if arm.against else ()) for arm in found.arms]


def block(title: str, note: str, lines: Sequence[Line], *columns: Column) -> Table:
    """Return a table."""
    return Table(title, note, tuple(line.name for line in lines), columns)


def means(
    found: Found, lines: Sequence[Line], column: str, header: str, digits: int = 3, *, spread: bool = True
) -> Column:
    """Return the mean of a column in each row."""
    numbers = (asdict(found.summary(line.group, column)) for line in lines)
    return Column(header, tuple(mean_cell(n, digits, spread=spread) for n in numbers))


def differences(found: Found, lines: Sequence[Line], column: str, header: str, digits: int = 3) -> Column:
    """Return each row's paired difference to what it is set against."""
    return Column(
        header,
        tuple(
            difference_cell(
                asdict(found.difference(line.group, line.against, column)) if line.against else None, digits
            )
            for line in lines
        ),
    )


def verdicts(found: Found, lines: Sequence[Line]) -> Column:
    """Return in words what the differences in accuracy amount to."""
    each = (asdict(found.difference(line.group, line.against, "accuracy")) if line.against else None for line in lines)
    return Column("verdict", tuple(map(verdict_cell, each)))


def score_columns(
    mean: Callable[[str, str, int], Column], difference: Callable[[str, str, int], Column], judged: Column
) -> list[Column]:
    """Return the columns of :data:`SCORES` in their order: each one's means and differences, and the verdict.

    Args:
        mean: makes the column of means, from the score's column, a header and digits.
        difference: likewise of differences.
        judged: what the differences in accuracy amount to.
    """
    columns = []
    for column, _, header, digits in SCORES:
        says = "difference" if column == "accuracy" else f"{header} difference"
        columns += [mean(column, header, digits), difference(column, says, digits)]
        if column == "accuracy":
            columns.append(judged)
    return columns


def scores(found: Found, lines: Sequence[Line]) -> list[Column]:
    """Return accuracy, EDM and smallest utilisation, each with its paired difference."""
    return score_columns(partial(means, found, lines), partial(differences, found, lines), verdicts(found, lines))


def told(estimate: Estimate, digits: int = 3) -> str:
    """Return a paired difference in words.

    Example:
        >>> print(told(Estimate(-0.25, -0.3, -0.2, -0.25, 5, 0)))
        −0.250 [−0.300, −0.200], lower
    """
    if estimate.mean is None:
        return "undefined"
    ends = (
        ""
        if estimate.low is None or estimate.high is None
        else f" {interval(estimate.low, estimate.high, digits, sign=True)}"
    )
    return f"{number(estimate.mean, digits, sign=True)}{ends}, {DIRECTIONS[verdict(asdict(estimate))]}"


def told_scores(found: Found, group: Group, against: Group) -> str:
    """Return the differences in accuracy, EDM and smallest utilisation in words."""
    each = (f"{score.words} {told(found.difference(group, against, score.column), score.digits)}" for score in SCORES)
    return "; ".join(each)
