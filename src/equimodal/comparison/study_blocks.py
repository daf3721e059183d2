"""A study in blocks: methods down, settings across, and what was decided."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from equimodal.comparison.blocks import BEST, Block, Cell, Column, blocks
from equimodal.statistics.permutation import LEVEL
from equimodal.statistics.ranks import Ranking
from equimodal.tables.text import WIDTH, section
from equimodal.tables.words import join_names

if TYPE_CHECKING:
    from equimodal.comparison.study import Study

ACROSS = (
    ("Accuracy", "accuracy", "Accuracy", "On test."),
    ("Accuracy", "difference", "Difference in accuracy", "To {baseline}, paired by seed, with its 95% interval."),
    ("Balance", "EDM", "EDM", "0 is equilibrium; in brackets the median."),
    ("Balance", "smallest", "Smallest utilisation", "1 is all that a modality can do alone."),
    ("Calibration", "ECE", "Calibration error", "Lower is better."),
    ("Cost", "seconds", "Seconds", "Of training, one run."),
)
"""Block and column of a comparison, title and note of the study's block."""


def study_blocks(study: Study) -> list[Block]:
    """Return the tables of a study: one a number, methods down and settings across."""
    made = {label: {block.title: block for block in blocks(c)} for label, c in study.comparisons.items()}
    baseline = next(iter(study.methods))
    found = []
    for source, header, title, note in ACROSS:
        columns = [
            Column(label, column.cells)
            for label, of in made.items()
            for column in of[source].columns
            if column.header == header
        ]
        if title == "Accuracy" and study.ranked:
            columns.append(_ranks(study))
        if columns:
            found.append(Block(title, note.format(baseline=baseline), study.methods, tuple(columns)))
    return found


def _ranks(study: Study) -> Column:
    ranks = study.ranking().ranks
    return Column("mean rank", tuple(Cell(f"{ranks[method]:.1f}") for method in study.methods))


def study_reading(study: Study) -> list[str]:
    """Return what the study says in plain sentences: what was declared, then the ranks."""
    lines = []
    if study.primary:
        lines.append(
            f"Declared before the run ({len(study.primary)}; p corrected for one another by Holm, level {LEVEL}):"
        )
        lines += [f"- {decision}" for decision in study.decisions()]
    if study.ranked:
        lines.append(_ranking(study.ranking()))
    return lines


def _ranking(ranking: Ranking) -> str:
    best = next(iter(ranking.ranks))
    text = (
        f"Ranks over {ranking.settings} settings: {best} is first on average. "
        f"Methods whose mean ranks differ by less than {ranking.critical_difference:.1f} cannot be told apart "
        "(Friedman and Nemenyi)"
    )
    if ranking.groups and len(ranking.groups[0]) == len(ranking.ranks):
        return f"{text}: that is all of them."
    if ranking.p is not None:
        text += f"; that all are alike has p {ranking.p:.3g}"
    groups = "; ".join(join_names(list(group)) for group in ranking.groups)
    return f"{text}. Not told apart: {groups or 'none'}."


def study_as_text(study: Study) -> str:
    """Return the blocks, aligned, and a few sentences on how to read them."""
    made = study_blocks(study)
    sentences = study_reading(study)
    if any(block.has_best for block in made):
        sentences.append(f"*: {BEST}.")
    told = "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  " * line.startswith("- ")) for line in sentences)
    return "\n\n".join([*map(section, made), told])
