"""Tables with cells of one's choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equimodal.tables.table import Cell, Column, Table

LABELS = ("joint", "first", "a longer name")


def table(
    columns: Mapping[str, Sequence[str]] | None = None,
    labels: Sequence[str] = LABELS,
    best: tuple[str, int] | None = None,
    *,
    title: str = "Accuracy",
    note: str = "On test.",
    row_header: str = "method",
) -> Table:
    """Return a table; a cell is `text` or `text spread`, and `best` marks one by its header and row."""
    given = columns if columns is not None else {"accuracy": ["0.52 ± 0.08", "0.72 ± 0.07", "0.6"]}
    made = []
    for header, cells in given.items():
        parts = [text.partition(" ") for text in cells]
        made.append(
            Column(header, tuple(Cell(text, rest, (header, i) == best) for i, (text, _, rest) in enumerate(parts)))
        )
    return Table(title, note, tuple(labels), tuple(made), row_header, "the highest mean")
