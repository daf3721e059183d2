"""Tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from equimodal.tables.table import Cell, Table, best_notes


def as_markdown(tables: Sequence[Table], sentences: Sequence[str] = ()) -> str:
    """Return tables, one below the other, then a list of sentences on how to read them."""
    notes = [*sentences, *(f"Bold: {note}." for note in best_notes(tables))]
    return "\n\n".join([*map(markdown_section, tables), bullets(notes)]).rstrip("\n") + "\n"


def markdown_section(table: Table) -> str:
    """Return one table below its title and note.

    Example:
        >>> from equimodal.tables.table import Column
        >>> columns = (Column("accuracy", (Cell("0.61"), Cell("0.64", best=True))),)
        >>> print(markdown_section(Table("Accuracy", "On test.", ("joint", "alternating"), columns)))
        **Accuracy.** On test.
        <BLANKLINE>
        | method      |   accuracy |
        |:------------|-----------:|
        | joint       |       0.61 |
        | alternating |   **0.64** |
    """
    aligned = tabulate(
        [[_escaped(label), *map(_cell, cells)] for label, cells in table.rows()],
        headers=[_escaped(header) for header in (table.row_header, *(column.header for column in table.columns))],
        tablefmt="pipe",
        colalign=("left", *["right"] * len(table.columns)),
        disable_numparse=True,
    )
    return f"**{table.title}.** {_escaped(table.note)}\n\n{aligned}"


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a list."""
    return "\n".join(f"- {_escaped(sentence)}" for sentence in sentences)


def _cell(cell: Cell) -> str:
    return f"**{cell.text}** {cell.spread}".rstrip() if cell.best else str(cell)


def _escaped(text: str) -> str:
    """Return the text with a backslash before what Markdown would read as markup; "_" within a word is none."""
    return re.sub(r"([\\`*|<]|\b_|_\b)", r"\\\1", " ".join(text.split()))
