"""Text files: one string per line, or one column of words (labels, groups, ids and the like)."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from equimodal.data.checks import list_rows
from equimodal.data.columns.text import TEXT
from equimodal.errors import DataError

WHOLE = re.compile(r"0|-?[1-9][0-9]*")
"""A whole number as Python writes it."""


@dataclass(frozen=True)
class Entries:
    """The rows of one file, and what their number alone does not say.

    Args:
        path: the file.
        values: (N, ...), text or float64.
        first: the first line of a text file; None for arrays.
        heads: the first row may be a header of numbers. The other files' numbers of rows decide.
        blank: empty lines at the end. They are absent rows only if the other files have as many rows.
    """

    path: Path
    values: np.ndarray
    first: str | None = None
    heads: bool = False
    blank: int = 0

    def without_first(self) -> Entries:
        """Return the entries without their first row, which is a header."""
        return replace(self, values=self.values[1:], heads=False)

    def cut(self, count: int) -> Entries:
        """Return the first `count` rows."""
        return replace(self, values=self.values[:count], blank=0)


def read_lines(path: Path) -> Entries:
    """Return one string per line of a `.txt`; an empty line is an absent row.

    Raises:
        DataError: it cannot be read, is not UTF-8, or holds nothing.
    """
    lines = _lines(path)
    return Entries(path, np.array(lines, dtype=TEXT), lines[0], blank=_blank_end(lines))


def read_words(path: Path) -> Entries:
    """Return one column of labels, groups, ids or the like as text, without the spaces around them.

    A first line that is the file's own name (`labels` or `label` in `labels.csv`) is a header.

    Raises:
        DataError: several columns, a blank entry, or see `read_lines`.
    """
    lines = _lines(path)
    cells = _only_column(path, lines) if path.suffix == ".csv" else [line.strip().strip('"').strip() for line in lines]
    own = path.stem.lower()
    named = cells[0].lower() in {own, own.removesuffix("s")}
    cells = cells[1:] if named else cells
    if not cells:
        raise DataError(f"{path}: holds no entry below its header. Give one per row.")
    blank = np.flatnonzero([not cell for cell in cells])
    if len(blank):
        raise DataError(f"{path}: blank in {list_rows(blank)}. Fill it in, or leave the sample out of every file.")
    # A pandas column without a name has the header 0.
    heads = path.suffix == ".csv" and not named and cells[0] == "0" and all(map(WHOLE.fullmatch, cells))
    return Entries(path, np.array(cells, dtype=str), lines[0], heads=heads)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    lines = lines[:-1] if lines[-1] == "" else lines
    if not any(line.strip() for line in lines):
        raise DataError(f"{path}: is empty. Fill it, or take it away.")
    return lines


def _blank_end(lines: Sequence[str]) -> int:
    return next((number for number, line in enumerate(reversed(lines)) if line.strip()), len(lines))


def _only_column(path: Path, lines: list[str]) -> list[str]:
    """Return the cells of a table of one column; a comma, semicolon or tab may stand in quotes."""
    written = [line for line in lines if line.strip()]
    separator = next((mark for mark in ";\t" if all(mark in line for line in written)), ",")
    rows = [next(csv.reader([line], delimiter=separator, skipinitialspace=True), [""]) for line in lines]
    for number, (row, line) in enumerate(zip(rows, lines, strict=True), start=1):
        if len(row) > 1:
            raise DataError(
                f"{path}: expected one column, got {len(row)}: line {number} is {line!r}. Keep the column of "
                f"{path.stem} alone (pandas: to_csv(file, index=False)); an entry that holds {separator!r} goes into "
                "double quotes."
            )
    return [row[0].strip() if row else "" for row in rows]
