"""The tables of an analysis: rows of arms, each compared with its reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import NamedTuple

from equimodal.analyses.arms import Group
from equimodal.analyses.result import SettingResult
from equimodal.statistics.estimates import Estimate
from equimodal.statistics.verdict import verdict
from equimodal.tables.estimates import DIRECTIONS, difference_cell, mean_cell, verdict_cell
from equimodal.tables.table import Column, Table
from equimodal.tables.words import interval, number


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Args:
        name: its label.
        group: the arms whose numbers are averaged in it.
        against: the arms that it is compared with; empty where the row is a reference.
    """

    name: str
    group: Group
    against: Group = ()


class Score(NamedTuple):
    """A number that every analysis shows: its column, its name in sentences, its header in tables, its digits."""

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


def arm_rows(result: SettingResult) -> list[TableRow]:
    """Return one row per arm."""
    return [TableRow(arm.words, (arm.label,), (arm.against,) if arm.against else ()) for arm in result.arms]


def make_table(title: str, note: str, rows: Sequence[TableRow], *columns: Column) -> Table:
    """Return a table of rows."""
    return Table(title, note, tuple(row.name for row in rows), columns)


def means(
    result: SettingResult, rows: Sequence[TableRow], column: str, header: str, digits: int = 3, *, spread: bool = True
) -> Column:
    """Return the mean of a column in each row."""
    numbers = (asdict(result.summary(row.group, column)) for row in rows)
    return Column(header, tuple(mean_cell(n, digits, spread=spread) for n in numbers))


def differences(result: SettingResult, rows: Sequence[TableRow], column: str, header: str, digits: int = 3) -> Column:
    """Return each row's paired difference to its reference."""
    each = (asdict(result.difference(row.group, row.against, column)) if row.against else None for row in rows)
    return Column(header, tuple(difference_cell(difference, digits) for difference in each))


def verdicts(result: SettingResult, rows: Sequence[TableRow]) -> Column:
    """Return the verdicts on the differences in accuracy, in words."""
    each = (asdict(result.difference(row.group, row.against, "accuracy")) if row.against else None for row in rows)
    return Column("verdict", tuple(map(verdict_cell, each)))


def score_columns(
    mean: Callable[[str, str, int], Column], difference: Callable[[str, str, int], Column], judged: Column
) -> list[Column]:
    """Return the columns of `SCORES` in their order: each one's means and differences, and the verdict.

    Args:
        mean: makes the column of means, from the score's column, a header and digits.
        difference: likewise of differences.
        judged: the verdicts on the differences in accuracy.
    """
    columns = []
    for column, _, header, digits in SCORES:
        differs = "difference" if column == "accuracy" else f"{header} difference"
        columns += [mean(column, header, digits), difference(column, differs, digits)]
        if column == "accuracy":
            columns.append(judged)
    return columns


def scores(result: SettingResult, rows: Sequence[TableRow]) -> list[Column]:
    """Return accuracy, EDM and smallest utilisation, each with its paired difference."""
    return score_columns(partial(means, result, rows), partial(differences, result, rows), verdicts(result, rows))


def difference_in_words(estimate: Estimate, digits: int = 3) -> str:
    """Return a paired difference in words.

    Example:
        >>> print(difference_in_words(Estimate(-0.25, -0.3, -0.2, -0.25, 5, 0)))
        −0.250 [−0.300, −0.200], lower
    """
    if estimate.mean is None:
        return "undefined"
    ends = ""
    if estimate.low is not None and estimate.high is not None:
        ends = f" {interval(estimate.low, estimate.high, digits, sign=True)}"
    return f"{number(estimate.mean, digits, sign=True)}{ends}, {DIRECTIONS[verdict(asdict(estimate))]}"


def scores_in_words(result: SettingResult, group: Group, against: Group) -> str:
    """Return the differences in accuracy, EDM and smallest utilisation in words."""
    return "; ".join(
        f"{score.words} {difference_in_words(result.difference(group, against, score.column), score.digits)}"
        for score in SCORES
    )
