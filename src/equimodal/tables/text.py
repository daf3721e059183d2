"""Tables as plain text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from equimodal.tables.table import Table, best_notes

WIDTH = 110
"""Widest line, as far as names allow."""
LABEL_WIDTH = 36
"""Longest label on the line of its numbers; a longer label has a line of its own above them."""


def as_text(tables: Sequence[Table], sentences: Sequence[str] = ()) -> str:
    """Return tables, one below the other, then sentences on how to read them."""
    notes = [*sentences, *(f"*: {note}." for note in best_notes(tables))]
    return "\n\n".join([*map(text_section, tables), paragraphs(notes)]).rstrip("\n")


def text_section(table: Table) -> str:
    """Return one table below its title and note, folded into pieces no wider than a line.

    Example:
        >>> from equimodal.tables.table import Cell, Column
        >>> columns = (Column("accuracy", (Cell("0.61"), Cell("0.64", best=True))),)
        >>> print(text_section(Table("Accuracy", "On test.", ("joint", "alternating"), columns)))
        Accuracy. On test.
        method       accuracy
        joint            0.61
        alternating      0.64 *
    """
    heading = textwrap.fill(f"{table.title}. {table.note}".rstrip(), WIDTH)
    return "\n".join([heading, *(line for piece in table.fold(WIDTH, LABEL_WIDTH) for line in _aligned(piece))])


def paragraphs(sentences: Sequence[str]) -> str:
    """Return sentences wrapped to the width of a line, one below the other; items of a list are indented."""
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent="  " if line.startswith("- ") else "") for line in sentences
    )


def _aligned(table: Table) -> Iterator[str]:
    """Yield the lines of a table: labels to the left, numbers to the right."""
    labels = [" ".join(label.split()) for label in (table.row_header, *table.labels)]
    columns = [
        ["" if len(label) > LABEL_WIDTH else label for label in labels],
        *(column.lines() for column in table.columns),
    ]
    # The header is given as a row: tabulate would make columns wider than their headers.
    aligned = tabulate(
        list(zip(*columns, strict=True)),
        tablefmt="plain",
        colalign=("left", *["right"] * len(table.columns)),
        disable_numparse=True,
        preserve_whitespace=True,
    )
    for label, line in zip(labels, aligned.split("\n"), strict=True):
        if len(label) > LABEL_WIDTH:
            yield label
        yield line.rstrip()
