"""The tables of a study, methods down and settings across, and the sentences below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equimodal.comparison.numbers import Numbers
from equimodal.comparison.primary import Decision
from equimodal.comparison.tables import comparison_tables
from equimodal.statistics.permutation import LEVEL
from equimodal.statistics.ranks import Ranking
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import join_names

ACROSS = (
    ("Accuracy", "accuracy", "Accuracy", "On test."),
    ("Accuracy", "difference", "Difference in accuracy", "To {baseline}, paired by seed, with its 95% interval."),
    ("Balance", "EDM", "EDM", "0 is equilibrium; in brackets the median."),
    ("Balance", "smallest", "Smallest utilisation", "1 is all that a modality can do alone."),
    ("Calibration", "ECE", "Calibration error", "Lower is better."),
    ("Cost", "seconds", "Seconds", "Of training, one run."),
)
"""Table and column of a comparison, title and note of the study's table."""


def study_tables(comparisons: Mapping[str, Numbers], ranking: Ranking | None) -> list[Table]:
    """Return the tables of a study: one per number, methods down and settings across.

    Args:
        comparisons: by setting's label.
        ranking: of the methods over the settings; None where there is nothing to rank.
    """
    made = {label: {table.title: table for table in comparison_tables(c)} for label, c in comparisons.items()}
    methods = next(iter(comparisons.values())).methods
    found = []
    for source, header, title, note in ACROSS:
        parts = {label: tables[source] for label, tables in made.items()}
        columns = [
            Column(label, column.cells)
            for label, table in parts.items()
            for column in table.columns
            if column.header == header
        ]
        if title == "Accuracy" and ranking is not None:
            columns.append(Column("mean rank", tuple(Cell(f"{ranking.ranks[method]:.1f}") for method in methods)))
        if columns:
            best = next(iter(parts.values())).best
            found.append(Table(title, note.format(baseline=methods[0]), methods, tuple(columns), best=best))
    return found


def study_reading(decisions: Sequence[Decision], ranking: Ranking | None) -> list[str]:
    """Return a study in plain sentences: what was declared, as a list, then the ranks."""
    lines = []
    if decisions:
        lines.append(f"Declared before the run ({len(decisions)}; p corrected for one another by Holm, level {LEVEL}):")
        lines += [f"- {decision}" for decision in decisions]
    if ranking is not None:
        lines.append(_ranks(ranking))
    return lines


def _ranks(ranking: Ranking) -> str:
    best = next(iter(ranking.ranks))
    text = (
        f"Ranks over {ranking.settings} settings: {best} is first on average. "
        f"Methods whose mean ranks differ by less than {ranking.critical_difference:.1f} cannot be distinguished "
        "(Friedman and Nemenyi)"
    )
    if ranking.groups and len(ranking.groups[0]) == len(ranking.ranks):
        return f"{text}: that is all of them."
    if ranking.p is not None:
        text += f"; that all are alike has p {ranking.p:.3g}"
    groups = "; ".join(join_names(list(group)) for group in ranking.groups)
    return f"{text}. Not distinguished: {groups or 'none'}."
