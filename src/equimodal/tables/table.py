"""A table as a value: columns of cells, whatever form they are written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One number of one row, in words.

    Args:
        text: the number.
        spread: what is shown after it, such as half of its interval; may be empty.
        best: whether it is marked as the best of its column, see `Table.best`.
    """

    text: str
    spread: str = ""
    best: bool = False

    def __str__(self) -> str:
        return f"{self.text} {self.spread}".rstrip()


@dataclass(frozen=True)
class Column:
    """A header, and one cell per row."""

    header: str
    cells: tuple[Cell, ...]

    def lines(self) -> list[str]:
        """Return header and cells as text, with a star at the best cell; stars do not shift the numbers."""
        if not any(cell.best for cell in self.cells):
            return [self.header, *map(str, self.cells)]
        return [f"{self.header}  ", *(f"{cell} *" if cell.best else f"{cell}  " for cell in self.cells)]


@dataclass(frozen=True)
class Table:
    """Columns about one subject.

    Args:
        title: the subject.
        note: how to read the columns.
        labels: the label of each row.
        columns: of cells, one per row.
        row_header: what the labels are.
        best: what it means that a cell is marked as the best; empty where none can be.
        over_all: whether the first row is over all the others, so that it stays on top where they are sorted.

    Example:
        >>> accuracy = Column("accuracy", (Cell("0.61", "± 0.02"), Cell("0.64", "± 0.01", best=True)))
        >>> table = Table("Accuracy", "On test.", ("joint", "alternating"), (accuracy,), best="the highest mean")
        >>> [(label, str(cells[0])) for label, cells in table.rows()]
        [('joint', '0.61 ± 0.02'), ('alternating', '0.64 ± 0.01')]
    """

    title: str
    note: str
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    row_header: str = "method"
    best: str = ""
    over_all: bool = False

    @property
    def has_best(self) -> bool:
        """Whether any cell is marked as the best."""
        return any(cell.best for column in self.columns for cell in column.cells)

    @property
    def has_spread(self) -> bool:
        """Whether any cell shows something after its number."""
        return any(cell.spread for column in self.columns for cell in column.cells)

    def rows(self) -> list[tuple[str, tuple[Cell, ...]]]:
        """Return each row: its label and its cells."""
        return [(label, tuple(column.cells[i] for column in self.columns)) for i, label in enumerate(self.labels)]

    def fold(self, width: int, label_width: int) -> list[Table]:
        """Return the table, or several with some of its columns each, none wider than `width` characters.

        Args:
            width: of a line; a column that is wider by itself stands alone.
            label_width: most characters that the labels take.
        """
        first = min(label_width, max(map(len, (self.row_header, *self.labels))))
        groups: list[list[Column]] = [[]]
        room = width - first
        for column in self.columns:
            need = 2 + max(map(len, column.lines()))
            if groups[-1] and need > room:
                groups.append([])
                room = width - first
            groups[-1].append(column)
            room -= need
        return [
            replace(self, columns=tuple(group), title=self.title if i == 0 else f"{self.title}, continued")
            for i, group in enumerate(groups)
        ]


def best_notes(tables: Iterable[Table]) -> list[str]:
    """Return what the marks in these tables mean, each meaning once; nothing where no cell is marked."""
    return list(dict.fromkeys(table.best for table in tables if table.has_best))


def table_of_records(title: str, records: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of raw values, one row per record: the first key names the rows, the other keys are columns.

    A float is written with all its digits, a value that is missing or None as an empty cell.

    Example:
        >>> table = table_of_records("Runs", [{"method": "joint", "edm": 0.1}, {"method": "joint", "edm": None}])
        >>> table.row_header, table.labels, [cell.text for cell in table.columns[0].cells]
        ('method', ('joint', 'joint'), ['0.1', ''])
    """
    row_header, *headers = dict.fromkeys(key for record in records for key in record)
    columns = (Column(header, tuple(Cell(_plain(record.get(header))) for record in records)) for header in headers)
    return Table(title, "", tuple(_plain(record[row_header]) for record in records), tuple(columns), row_header)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
