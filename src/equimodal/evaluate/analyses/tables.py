"""The tables of an analysis: rows of arms, each set against the one it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from equimodal.evaluate.analyses.base import Found, Group, Line
from equimodal.evaluate.statistics import Estimate, told_apart
from equimodal.evaluate.tables.blocks import SAID, Block, Cell, Column, difference_cell, mean_cell
from equimodal.evaluate.words import interval, number


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

MOVED = {"above": "higher", "below": "lower", "level": "within noise", "unknown": "not judged"}
"""The answers of :func:`~equimodal.evaluate.statistics.told_apart`, for numbers in general."""


def lines_of_arms(found: Found) -> list[Line]:
    """Return a row for each arm."""
    return [Line(arm.words, (arm.label,), (arm.against,) if arm.against else ()) for arm in found.arms]


def block(title: str, note: str, lines: Sequence[Line], *columns: Column) -> Block:
    """Return a table."""
    return Block(title, note, tuple(line.name for line in lines), columns)


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
    cells = []
    for line in lines:
        if line.against:
            said = told_apart(asdict(found.difference(line.group, line.against, "accuracy")))
            cells.append(Cell(SAID[said]))
        else:
            cells.append(Cell("baseline"))
    return Column("verdict", tuple(cells))


def scores(found: Found, lines: Sequence[Line]) -> list[Column]:
    """Return accuracy, EDM and smallest utilisation, each with its paired difference."""
    columns = []
    for column, _, header, digits in SCORES:
        columns += [
            means(found, lines, column, header, digits),
            differences(found, lines, column, "difference" if column == "accuracy" else f"{header} difference", digits),
        ]
        if column == "accuracy":
            columns.append(verdicts(found, lines))
    return columns


def told(estimate: Estimate, digits: int = 3) -> str:
    """Return a paired difference in words.

    Example:
        >>> print(told(Estimate(-0.25, -0.3, -0.2, -0.25, 2, 0)))
        −0.250 [−0.300, −0.200], lower
    """
    if estimate.mean is None:
        return "undefined"
    ends = (
        ""
        if estimate.low is None or estimate.high is None
        else f" {interval(estimate.low, estimate.high, digits, sign=True)}"
    )
    return f"{number(estimate.mean, digits, sign=True)}{ends}, {MOVED[told_apart(asdict(estimate))]}"


def told_scores(found: Found, group: Group, against: Group) -> str:
    """Return the differences in accuracy, EDM and smallest utilisation in words."""
    each = (f"{score.words} {told(found.difference(group, against, score.column), score.digits)}" for score in SCORES)
    return "; ".join(each)
