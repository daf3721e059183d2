"""What stands in a comparison's tables, whatever they are written in: a few blocks of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from equimodal.comparison.comparison import Comparison
from equimodal.statistics.verdict import verdict
from equimodal.tables.words import interval, number

BEST = "the best mean of its column, where the 95% interval of its paired difference to the runner-up leaves out 0"
"""What it means that a cell is marked (ours)."""

SAID = {
    "above": "better",
    "below": "worse",
    "level": "within noise",
    "few": "too few seeds",
    "unknown": "not judged",
}
"""The answers of `equimodal.statistics.verdict.verdict` in words, for accuracies."""

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Cell:
    """What the seeds say about one number of one method, in words.

    Args:
        text: the mean.
        spread: half of its 95% interval, its median, or the interval of a difference; empty where there is none.
        best: see :data:`BEST`.
    """

    text: str
    spread: str = ""
    best: bool = False

    def __str__(self) -> str:
        return f"{self.text} {self.spread}".rstrip()


@dataclass(frozen=True)
class Column:
    """A header, and a cell a method."""

    header: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Block:
    """Columns about one subject.

    Args:
        title: the subject.
        note: how to read the columns.
        methods: labels, one a row.
        columns: beside them.
    """

    title: str
    note: str
    methods: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def has_best(self) -> bool:
        """Whether any cell is marked as the best."""
        return any(cell.best for column in self.columns for cell in column.cells)

    def rows(self) -> list[tuple[str, tuple[Cell, ...]]]:
        """Return each method with its cells."""
        return list(zip(self.methods, zip(*(column.cells for column in self.columns), strict=True), strict=True))

    def fold(self, width: int, labels: int) -> list[Block]:
        """Return the block, or several with some of its columns each, none wider than ``width`` characters.

        Args:
            width: of a line; a column that is wider by itself stands alone.
            labels: most characters that the methods' column takes.
        """
        first = min(labels, max(map(len, ("method", *self.methods))))
        groups: list[list[Column]] = [[]]
        room = width - first
        for column in self.columns:
            need = 2 + max(
                map(len, (column.header, *(f"{cell} *" if cell.best else str(cell) for cell in column.cells)))
            )
            if groups[-1] and need > room:
                groups.append([])
                room = width - first
            groups[-1].append(column)
            room -= need
        return [
            replace(self, columns=tuple(group), title=self.title if i == 0 else f"{self.title}, continued")
            for i, group in enumerate(groups)
        ]


def blocks(comparison: Comparison) -> list[Block]:
    """Return the tables of a comparison: accuracy, modalities alone, balance, calibration, cost.

    Example:
        >>> [block.title for block in blocks(load_comparison("comparisons/emoji"))]  # doctest: +SKIP
        ['Accuracy', 'Modalities alone', 'Balance', 'Calibration', 'Cost']
    """
    maker, names, baseline = _Maker(comparison), comparison.modalities, comparison.baseline
    against = [maker.difference(), maker.said()] if len(comparison.methods) > 1 else []
    return [
        maker.block(
            "Accuracy",
            f"On test; the difference to {baseline} is paired by seed." if against else "On test.",
            maker.mean("accuracy", "accuracy", "higher"),
            *against,
            maker.mean("macro_f1", "macro F1", "higher"),
        ),
        maker.block(
            "Modalities alone",
            "Accuracy on test where only one modality is there. Some missing: the mean over all subsets of modalities "
            "but the empty one and the whole.",
            *(maker.mean(f"unimodal.{name}", name, "higher") for name in names),
            maker.mean("missing_mean", "some missing", "higher"),
        ),
        maker.block(
            "Balance",
            "EDM (in brackets its median): 0 is equilibrium. Utilisation, of each modality and the smallest: 1 is all "
            "that a modality can do alone.",
            maker.mean("edm", "EDM", "lower", 2, median=True),
            *(maker.mean(f"utilisation.{name}", name, "higher", 2) for name in names),
            maker.mean("smallest_utilisation", "smallest", "higher", 2),
        ),
        maker.block(
            "Calibration",
            "How far probabilities can be trusted; lower is better. ECE: expected calibration error. NLL: negative "
            "log-likelihood.",
            maker.mean("ece", "ECE", "lower"),
            maker.mean("loss", "NLL", "lower"),
        ),
        maker.block(
            "Cost",
            "Of one run: optimiser steps of all encoders together, time in training without validation, highest memory "
            "of the process (on a GPU, of the tensors there).",
            maker.mean("updates", "updates", None, 0, spread=False),
            maker.mean("seconds", "seconds", "lower", 1, spread=False),
            maker.mean("memory", "memory (MiB)", "lower", 0, spread=False),
        ),
    ]


class _Maker:
    """Makes the columns of one comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.table = comparison.table()

    def block(self, title: str, note: str, *columns: Column) -> Block:
        return Block(title, note, self.comparison.methods, columns)

    def mean(
        self,
        key: str,
        header: str,
        better: Better | None,
        digits: int = 3,
        *,
        spread: bool = True,
        median: bool = False,
    ) -> Column:
        best = None if better is None else clearly_best(self.comparison, self.table, key, better)
        undefined = number(None) if key == "memory" else "undefined"
        cells = (
            mean_cell(row[key], digits, spread=spread, median=median, best=row["method"] == best, undefined=undefined)
            for row in self.table
        )
        return Column(header, tuple(cells))

    def difference(self) -> Column:
        return Column("difference", tuple(difference_cell(row["accuracy"]["difference"]) for row in self.table))

    def said(self) -> Column:
        differences = [row["accuracy"]["difference"] for row in self.table]
        return Column("verdict", tuple(Cell("baseline" if d is None else SAID[verdict(d)]) for d in differences))


def mean_cell(
    numbers: Mapping[str, Any],
    digits: int = 3,
    *,
    spread: bool = True,
    median: bool = False,
    best: bool = False,
    undefined: str = "undefined",
) -> Cell:
    """Return a cell about one column of one method.

    Args:
        numbers: the fields of an :class:`~equimodal.statistics.estimates.Estimate`.
        digits: after the point.
        spread: show half of the interval.
        median: show it.
        best: see :data:`BEST`.
        undefined: what stands there where the number is defined in no seed.
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
    """Return a cell about a paired difference, a dash where there is none."""
    if numbers is None:
        return Cell(number(None))
    ends = "" if numbers["low"] is None else interval(numbers["low"], numbers["high"], digits, sign=True)
    return Cell(number(numbers["mean"], digits, sign=True), ends)


def clearly_best(comparison: Comparison, table: Sequence[Mapping[str, Any]], column: str, better: Better) -> str | None:
    """Return the method that is :data:`BEST` in a column, or None.

    A method whose number is undefined in some seeds is never it: its mean leaves out what went wrong.

    Args:
        comparison: methods over seeds.
        table: its :meth:`~equimodal.comparison.comparison.Comparison.table`.
        column: name of the column.
        better: which values are.
    """
    known = [row for row in table if row[column]["mean"] is not None]
    if len(known) < 2:
        return None
    first, second, *_ = sorted(known, key=lambda row: row[column]["mean"], reverse=better == "higher")
    if first[column]["undefined"]:
        return None
    apart = verdict(asdict(comparison.difference(first["method"], second["method"], column)))
    return first["method"] if apart == ("above" if better == "higher" else "below") else None
