"""The tables of a comparison: accuracy, modalities alone, balance, calibration, cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from math import isclose
from typing import Any, Literal

from equimodal.comparison.numbers import Numbers
from equimodal.comparison.reading import intervals
from equimodal.comparison.result import MISSING
from equimodal.statistics.verdict import verdict
from equimodal.tables.estimates import difference_cell, mean_cell, verdict_cell
from equimodal.tables.table import Column, Table
from equimodal.tables.words import number

BEST = "the best mean of its column, where the 95% interval of its paired difference to the runner-up leaves out 0"
"""What it means that a cell is marked (ours)."""

ENTRIES_MISSING = "Accuracy with entries missing"
"""Title of the table over rates at which entries are missing."""

Better = Literal["higher", "lower"]


def comparison_tables(comparison: Numbers) -> list[Table]:
    """Return the tables of a comparison: accuracy, entries missing, modalities alone, balance, calibration, cost.

    Example:
        >>> [table.title for table in comparison_tables(load_comparison("comparisons/emoji"))]  # doctest: +SKIP
        ['Accuracy', 'Accuracy with entries missing', 'Modalities alone', 'Balance', 'Calibration', 'Cost']
    """
    columns, names, baseline = _Columns(comparison), comparison.modalities, comparison.baseline
    against = [columns.difference(), columns.verdict()] if len(comparison.methods) > 1 else []
    return [
        columns.table(
            "Accuracy",
            f"On test; the difference to {baseline} is paired by seed." if against else "On test.",
            columns.mean("accuracy", "accuracy", "higher"),
            *against,
            columns.mean("macro_f1", "macro F1", "higher"),
        ),
        columns.table(
            ENTRIES_MISSING,
            "On test, each entry (row, modality) missing with this probability, and every row keeping at least one: "
            "the weighted mean over all subsets of modalities. Entries that the data lack are missing besides. Area: "
            "under the curve over rates from 0 to 90%, divided by .9.",
            columns.mean("accuracy", "0%", "higher"),
            *(columns.mean(f"missing_{percent}", f"{percent}%", "higher") for percent in MISSING),
            columns.mean("missing_area", "area", "higher"),
        ),
        columns.table(
            "Modalities alone",
            "Accuracy on test where only one modality is there. Some missing: the mean over all subsets of "
            "modalities but the empty one and the whole.",
            *(columns.mean(f"unimodal.{name}", name, "higher") for name in names),
            columns.mean("missing_mean", "some missing", "higher"),
        ),
        columns.table(
            "Balance",
            "EDM (in brackets its median): 0 is equilibrium. Against ability: the target is a modality's share in the "
            "unimodal ensemble, what it can do. Utilisation, of each modality and the smallest: 1 is all that a "
            "modality can do alone; undefined for one that knows nothing alone.",
            columns.mean("edm", "EDM", "lower", 2, median=True),
            columns.mean("edm_ability", "against ability", "lower", 2, median=True),
            *(columns.mean(f"utilisation.{name}", name, "higher", 2) for name in names),
            columns.mean("smallest_utilisation", "smallest", "higher", 2),
        ),
        columns.table(
            "Calibration",
            "How far probabilities can be trusted; lower is better. ECE: expected calibration error. NLL: negative "
            "log-likelihood.",
            columns.mean("ece", "ECE", "lower"),
            columns.mean("loss", "NLL", "lower"),
        ),
        columns.table(
            "Cost",
            "Of one run: optimiser steps of all encoders together, time in training without validation, highest memory "
            "of the process (on a GPU, of the tensors there).",
            columns.mean("updates", "updates", None, 0, spread=False),
            columns.mean("seconds", "seconds", "lower", 1, spread=False),
            columns.mean("memory", "memory (MiB)", "lower", 0, spread=False),
        ),
    ]


def caption(comparison: Numbers) -> Callable[[Table], str]:
    """Return what writes the caption of one of the tables, for forms in which each table stands alone."""
    data = str(comparison.provenance.get("data", "data"))

    def write(table: Table) -> str:
        text = f"{table.title} on {data}. {table.note}"
        if len(comparison.seeds) == 1 or table.has_spread:
            text += f" {intervals(comparison)}"
        return f"{text} Bold: {table.best}." if table.has_best else text

    return write


class _Columns:
    """Makes the columns of one comparison."""

    def __init__(self, comparison: Numbers) -> None:
        self.comparison = comparison
        self.rows = comparison.table()

    def table(self, title: str, note: str, *columns: Column) -> Table:
        return Table(title, note, self.comparison.methods, columns, best=BEST)

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
        best = None if better is None else clearly_best(self.comparison, self.rows, key, better)
        undefined = number(None) if key == "memory" else "undefined"
        cells = (
            mean_cell(row[key], digits, spread=spread, median=median, best=row["method"] == best, undefined=undefined)
            for row in self.rows
        )
        return Column(header, tuple(cells))

    def difference(self) -> Column:
        return Column("difference", tuple(difference_cell(row["accuracy"]["difference"]) for row in self.rows))

    def verdict(self) -> Column:
        return Column("verdict", tuple(verdict_cell(row["accuracy"]["difference"]) for row in self.rows))


def clearly_best(comparison: Numbers, rows: Sequence[Mapping[str, Any]], column: str, better: Better) -> str | None:
    """Return the method whose mean is the best of a column as `BEST` says, or None.

    It must be apart from the second best, and from each of them where several share that mean. A method whose number is
    undefined in some seeds never is the best: its mean leaves out what went wrong.

    Args:
        comparison: methods over seeds.
        rows: its `table()`.
        column: name of the column.
        better: which values are better.
    """
    known = [row for row in rows if row[column]["mean"] is not None]
    if len(known) < 2:
        return None
    first, *others = sorted(known, key=lambda row: row[column]["mean"], reverse=better == "higher")
    if first[column]["undefined"]:
        return None
    seconds = [row["method"] for row in others if isclose(row[column]["mean"], others[0][column]["mean"])]
    apart = {verdict(asdict(comparison.difference(first["method"], second, column))) for second in seconds}
    return first["method"] if apart == {"above" if better == "higher" else "below"} else None
