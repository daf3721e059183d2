"""CSV tables of numbers: pandas parses them; headers, index columns and other separators are recognised here."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from equimodal.data.text import WHOLE, Entries
from equimodal.errors import DataError

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""What pandas calls a column without a name, on disk and in memory."""
_MISSING = ("", "nan", "NaN", "NAN", "NA", "N/A", "<NA>")
_INDEX_NAMES = ("index", "idx", "id", "ids", "row", "row_id", "rowid", "unnamed")
_FEWEST_COUNTED = 3
"""Fewer rows than this can count by one by chance."""


def read_numbers(path: Path) -> Entries:
    """Return a CSV of numbers, float64 (N, F); an empty cell is NaN, an empty line an absent row.

    A first row of names is a header. First columns without a name beside named ones are the index that pandas
    writes, and are left out. Where a first row may be a header of numbers, `Entries.heads` says so.

    Raises:
        DataError: ragged rows, a cell that is not a number, an index column with a name, or see `read_lines`.
    """
    table = _structure(path)
    header = _is_header(table.first)
    if header and table.lead:
        raise DataError(f"{path}: begins with an empty line. Delete it.")
    if table.rows == header:
        raise DataError(f"{path}: holds no row below its header. Give at least one.")
    names = [cell.strip() for cell in table.first] if header else []
    unnamed = [_UNNAMED.fullmatch(name) is not None for name in names]
    index = unnamed.index(False) if False in unnamed else 0  # more than one for the index of several levels
    blank = table.blank
    if table.width > 1:  # an absent row of several cells has its commas; empty lines at the end are no rows
        table, blank = replace(table, rows=table.rows - blank), 0
    values = _parse(path, table, header, range(index, table.width))
    if index:
        _check_index(path, table, index)
    heads = not header and _may_be_header(table.first, values)
    for body in (values, values[1:]) if heads else (values,):
        _refuse_counting(path, body, names[index:])
    return Entries(path, values, ",".join(table.first), heads=heads, blank=blank)


@dataclass(frozen=True)
class _Table:
    """How a CSV is laid out.

    Args:
        first: cells of the first row that is not empty.
        rows: number of rows, the header among them.
        width: cells per row.
        lead: empty lines before the first row.
        blank: empty lines at the end.
    """

    first: list[str]
    rows: int
    width: int
    lead: int
    blank: int


def _structure(path: Path) -> _Table:
    """Read a CSV once for its layout: pandas pads short rows in silence."""
    first: list[str] = []
    rows = lead = blank = 0
    filled = False
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for cells in csv.reader(file, skipinitialspace=True):
                blank = 0 if cells else blank + 1
                if cells and len(cells) != len(first or cells):
                    raise DataError(_ragged(path, first, rows, cells))
                filled = filled or any(map(str.strip, cells))
                if cells and not first:
                    first, lead = cells, rows
                    _check_separator(path, cells)
                rows += 1
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}). Save it again.") from error
    if not filled:
        raise DataError(f"{path}: is empty. Fill it, or take it away.")
    return _Table(first, rows, len(first), lead, blank)


def _ragged(path: Path, first: list[str], line: int, cells: list[str]) -> str:
    header = _is_header(first)
    one = "a header" if header else "row 0"
    hint = (
        " If the first column is an index, save the file without it (pandas: to_csv(file, index=False))."
        if header and len(cells) == len(first) + 1
        else ""
    )
    return (
        f"{path}: ragged rows: row {line - header} has {len(cells)} cells, {one} has {len(first)}. "
        f"Give every row as many; an empty cell counts as NaN.{hint}"
    )


def _check_separator(path: Path, cells: list[str]) -> None:
    """Raise an error if a first row is written with other marks than commas between its cells."""
    line = ",".join(cells).strip()
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
        parts = [part.strip() for part in line.split(mark) if part.strip()]
        numbers = all(_is_number(part) or _DECIMAL_COMMA.fullmatch(part) for part in parts)
        if len(parts) > 1 and (numbers if mark == " " else numbers or len(cells) == 1):
            raise DataError(
                f"{path}: its cells are separated by {name}, expected commas. Save it with commas, and with points in "
                f"decimals (pandas: read_csv(file, sep={mark!r}, decimal=',').to_csv(file, index=False))."
            )


def _is_header(first: Sequence[str]) -> bool:
    """Return whether a first row names columns: words, or words and whole numbers (years), or numbers and a gap."""
    cells = [cell.strip() for cell in first]
    numbers = [cell for cell in cells if cell not in _MISSING and _is_number(cell)]
    words = [cell for cell in cells if not _is_number(cell)]
    if words:
        return all(map(WHOLE.fullmatch, numbers)) and not any(map(_DECIMAL_COMMA.fullmatch, words))
    return len(cells) > 1 and not cells[0] and _steps(cells[1:])


def _steps(cells: Sequence[str]) -> bool:
    """Return whether cells are whole numbers that rise by equal steps, as 0, 1, 2 or years do."""
    if not all(map(WHOLE.fullmatch, cells)):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(cells)}
    return (len(steps) == 1 and min(steps) > 0) or cells == ["0"]


def _may_be_header(first: Sequence[str], values: np.ndarray) -> bool:
    """Return whether a first row of numbers looks like a header, and no other row looks like it."""
    if len(values) < 2 or not _steps([cell.strip() for cell in first]):
        return False
    rest = values[1:]
    if values.shape[1] == 1:
        return not (rest == 0).any()
    steps = np.diff(rest, axis=1)
    alike = ((steps > 0) & (steps == steps[:, :1])).all(1) & (rest == np.rint(rest)).all(1)
    return not alike.any()


def _parse(path: Path, table: _Table, header: bool, columns: range) -> np.ndarray:
    import pandas  # costs half a second: only a CSV of numbers pays for it

    try:
        frame = pandas.read_csv(
            path,
            header=0 if header else None,
            names=range(table.width),
            index_col=False,
            usecols=list(columns),
            nrows=table.rows - header,
            dtype=np.float64,
            na_values=list(_MISSING),
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except ValueError as error:
        raise _not_a_number(path, header, columns, error) from error
    return frame.to_numpy(np.float64)


def _not_a_number(path: Path, header: bool, columns: range, error: ValueError) -> DataError:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line, cells in enumerate(csv.reader(file, skipinitialspace=True)):
            for column, cell in enumerate(cells):
                if line >= header and column in columns and not _is_number(cell):
                    decimal = _DECIMAL_COMMA.fullmatch(cell.strip())
                    advice = (
                        "Write decimals with a point, and thousands without a comma."
                        if decimal
                        else "Put text into a .txt."
                    )
                    return DataError(
                        f"{path}: row {line - header}, column {column} is {cell!r}, not a number. {advice}"
                    )
    return DataError(f"{path}: cannot be read as numbers ({error}).")


def _is_number(cell: str) -> bool:
    """Return whether a cell is a number or missing. Python's `float` also takes 1_0 and digits of other scripts."""
    cell = cell.strip()
    if cell in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def _check_index(path: Path, table: _Table, levels: int) -> None:
    """Raise an error if the first columns without names hold an entry twice, as no index does."""
    import pandas

    index = pandas.read_csv(
        path,
        header=0,
        names=range(table.width),
        index_col=False,
        usecols=list(range(levels)),
        nrows=table.rows - 1,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        encoding="utf-8-sig",
    )
    if index.duplicated().any():
        raise DataError(
            f"{path}: the first column has no name and is no index, since values occur twice. Name it if it is a "
            "feature, or leave it out (pandas: to_csv(file, index=False))."
        )


def _refuse_counting(path: Path, values: np.ndarray, names: Sequence[str]) -> None:
    """Raise an error if a column numbers the rows: it is an index, and on sorted data it gives the labels away."""
    if len(values) < _FEWEST_COUNTED or values.shape[1] < 2:
        return
    for column in range(values.shape[1]):
        name = names[column] if names else None
        if column and (name is None or name.lower() not in _INDEX_NAMES):
            continue
        if (np.diff(values[:, column]) == 1).all():
            what = f"column {column}" + (f" ('{name}')" if name else "")
            raise DataError(
                f"{path}: {what} counts the rows, from {values[0, column]:.0f} to {values[-1, column]:.0f}: an index, "
                "not a feature. Save the file without it (pandas: to_csv(file, index=False)); row names go into "
                "ids.csv. If it is a feature all the same, save the array as .npy."
            )
