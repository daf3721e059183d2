"""A table as CSV."""

from __future__ import annotations

import csv
import io
import math

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


def read_number(text: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return the number of a cell.

    Args:
        text: the cell.
        low: the least that it may be.
        high: the most.

    Raises:
        ValueError: it is no number, infinite or NaN, or beyond its bounds.

    Example:
        >>> read_number("0.5", 0, 1)
        0.5
        >>> read_number("17", 0, 1)
        Traceback (most recent call last):
        ValueError: expected a number from 0 to 1, got '17'
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and low <= value <= high):
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
        raise ValueError(f"expected a number{bounds}, got '{text}'")
    return value
