"""The tables of a study, methods down and settings across, and the sentences below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equimodal.comparison.numbers import Numbers
from equimodal.comparison.primary import Decision
from equimodal.comparison.result import MISSING
from equimodal.comparison.settings import Losses, regrets
from equimodal.comparison.tables import ENTRIES_MISSING, comparison_tables
from equimodal.statistics.permutation import LEVEL, seeds_needed
from equimodal.statistics.ranks import Ranking
from equimodal.statistics.verdict import FEWEST
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import interval, join_names, number

ACROSS = (
    ("Accuracy", "accuracy", "Accuracy", "On test."),
    ("Accuracy", "difference", "Difference in accuracy", "To {baseline}, paired by seed, with its 95% interval."),
    (ENTRIES_MISSING, "50%", "Accuracy with half of the entries missing", "On test; every row keeps one at least."),
    ("Balance", "EDM", "EDM", "0 is equilibrium; in brackets the median."),
    ("Balance", "against ability", "EDM against ability", "The target is the share in the unimodal ensemble."),
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
        if columns:
            best = next(iter(parts.values())).best
            found.append(Table(title, note.format(baseline=methods[0]), methods, tuple(columns), best=best))
    if ranking is not None:
        found[1:1] = [_over_settings(comparisons, ranking), _missing_over_settings(comparisons)]
    return found


def _over_settings(comparisons: Mapping[str, Numbers], ranking: Ranking) -> Table:
    """Return mean accuracy, mean rank and worst regret of each method."""
    methods, found = next(iter(comparisons.values())).methods, regrets(comparisons)
    return Table(
        "Over all settings",
        "Mean accuracy, mean rank, and worst regret: the largest distance, over settings, to the mean accuracy of the "
        "best method of a setting, and in which setting that is.",
        methods,
        (
            Column("mean accuracy", tuple(Cell(_number(found[method].mean)) for method in methods)),
            Column("mean rank", tuple(Cell(f"{ranking.ranks[method]:.1f}") for method in methods)),
            Column("worst regret", tuple(Cell(_number(found[method].worst)) for method in methods)),
            Column(
                "in setting", tuple(Cell(found[method].setting if found[method].worst else "") for method in methods)
            ),
        ),
    )


def _missing_over_settings(comparisons: Mapping[str, Numbers]) -> Table:
    """Return mean accuracy over all settings by the share of entries that are missing."""
    methods = next(iter(comparisons.values())).methods
    columns = {"0%": "accuracy"} | {f"{percent}%": f"missing_{percent}" for percent in MISSING}
    means = {rate: regrets(comparisons, column) for rate, column in columns.items()}
    return Table(
        ENTRIES_MISSING,
        "Mean over all settings, by the share of entries that are missing on test; every row keeps at least one.",
        methods,
        tuple(Column(rate, tuple(Cell(_number(found[m].mean)) for m in methods)) for rate, found in means.items()),
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else number(value)


def study_reading(decisions: Sequence[Decision], ranking: Ranking | None, losses: Losses | None) -> list[str]:
    """Return a study in plain sentences: what was declared, as a list, significant losses, then the ranks."""
    lines = []
    if decisions:
        lines.append(f"Declared before the run ({len(decisions)}; p corrected for one another by Holm, level {LEVEL}):")
        lines += [f"- {decision}" for decision in decisions]
    if losses is not None:
        lines.append(_losses(losses))
    if ranking is not None:
        lines.append(_ranks(ranking))
    return lines


def _losses(losses: Losses) -> str:
    settings = f"{losses.settings} setting{'s' * (losses.settings > 1)}"
    rule = (
        f"{settings}, against {join_names(list(losses.against))}; 95% interval below 0, and permutation p at most "
        f"{LEVEL}, corrected by Holm over settings"
    )
    if losses.found:
        each = [
            f"{loss.setting}, behind {loss.against} ({number(loss.mean, sign=True)} "
            f"{interval(loss.low, loss.high, sign=True)}, corrected p {loss.p_holm:.3g})"
            for loss in losses.found
        ]
        return f"Significant losses of {losses.method} ({rule}): {'; '.join(each)}."
    text = f"Significant losses of {losses.method} ({rule}): none"
    needed = max(FEWEST, seeds_needed(losses.settings))
    if losses.pairs < needed:
        return f"{text}, but {losses.pairs} seeds cannot show one: at least {needed} are needed."
    return f"{text}."


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
