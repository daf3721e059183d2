"""A table as CSV."""

from __future__ import annotations

import csv
import io

from equimodal.tables.table import Table


def as_csv(table: Table) -> str:
    """Return a header, and one line per row: its label and its cells.

    Example:
        >>> from equimodal.tables.table import table_of_records
        >>> print(as_csv(table_of_records("Runs", [{"method": "a, b", "edm": 0.1}])), end="")
        method,edm
        "a, b",0.1
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([table.row_header, *(column.header for column in table.columns)])
    writer.writerows([label, *map(str, cells)] for label, cells in table.rows())
    return text.getvalue()
