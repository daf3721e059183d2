"""Tables of text in files: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.data.checks import first_problems, raise_problems
from equimodal.data.coerce import is_missing
from equimodal.errors import DataError
from equimodal.extras import need

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between the cells of a table that is no CSV, in words."""
MANIFESTS: tuple[str, ...] = (".csv", ".jsonl", ".parquet")
"""Endings of what is read."""
SHOWN = 5
"""Places in a list."""
_MEDIA = ("bytes", "dict")


@dataclass(frozen=True)
class Rows:
    """The rows of a table.

    Args:
        columns: names, in order.
        cells: by column, one text per row; None where a cell is empty.
        places: where each row is, for messages: "line 3".
    """

    columns: tuple[str, ...]
    cells: dict[str, list[str | None]]
    places: list[str]

    def without(self, names: Sequence[str]) -> Rows:
        """Return the rows without some of the columns."""
        kept = tuple(name for name in self.columns if name not in names)
        return Rows(kept, {name: self.cells[name] for name in kept}, self.places)


def text_of(path: Path) -> str:
    """Return the text of a file in UTF-8, without the mark that some programs put first.

    Raises:
        DataError: it cannot be read, or is in another encoding.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise DataError(f"{path}: not UTF-8 text (byte {text.index(chr(0))} is 0, as in UTF-16). Save it as UTF-8.")
        return text
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def read_table(path: Path, text: Callable[[Path], str] = text_of) -> Rows:
    """Return the rows of a `.csv`, `.jsonl` or `.parquet`.

    Args:
        path: of the table.
        text: how a `.csv` or `.jsonl` becomes text.

    Raises:
        DataError: it cannot be read, or is not of its form; all its mistakes are reported at once.
        ConfigError: a Parquet file where pyarrow is not installed.
    """
    readers: tuple[Callable[[], Rows], ...] = (
        lambda: _read_csv(path, text(path)),
        lambda: _read_json_lines(path, text(path)),
        lambda: _read_parquet(path),
    )
    reader = dict(zip(MANIFESTS, readers, strict=True)).get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: cannot read '{path.suffix}'. Give a manifest as {', '.join(MANIFESTS)}, or a folder.")
    rows = reader()
    twice = sorted({name for name in rows.columns if rows.columns.count(name) > 1})
    nameless = [number for number, name in enumerate(rows.columns, start=1) if not name]
    problems = [f"{path}: column '{name}' is there twice. Rename one of them." for name in twice]
    problems += [
        f"{path}: column {number} has no name. Name it, or save the table without it (pandas: index=False)."
        for number in nameless
    ]
    raise_problems(problems, str(path))
    if not rows.places:
        raise DataError(f"{path}: has no row. Give one line per sample.")
    return rows


def list_places(places: list[str]) -> str:
    """Return the first few places, and how many there are.

    Example:
        >>> list_places(["line 2", "line 7"]), list_places([f"line {n}" for n in range(9)])
        ('line 2, line 7', 'line 0, line 1, line 2, line 3, line 4, ... (9 in all)')
    """
    more = f", ... ({len(places)} in all)" if len(places) > SHOWN else ""
    return ", ".join(places[:SHOWN]) + more


def _read_csv(path: Path, text: str) -> Rows:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(filter(None, lines), [])]
        mark = next((mark for mark in _SEPARATORS if len(header) == 1 and mark in header[0]), None)
        if mark is not None:
            raise DataError(
                f"{path}: its cells are separated by {_SEPARATORS[mark]}, expected commas. Save it with commas."
            )
        found: list[tuple[str, list[str]]] = []
        wrong: list[str] = []
        for cells in lines:
            place = f"line {lines.line_num}"
            if len(cells) == len(header):
                found.append((place, cells))
            elif cells:
                wrong.append(f"{place} ({len(cells)})")
    except csv.Error as error:
        raise DataError(f"{path}: line {lines.line_num} is not CSV ({error}). Mend it, or save it again.") from error
    if wrong:
        first = ",".join(header)
        raise DataError(
            f"{path}: expected {len(header)} cells in each line, as in the first ('{first[:80]}'), but not so in "
            f"{list_places(wrong)}. The first line names the columns; a text that holds a comma or a line break goes "
            "into double quotes."
        )
    columns = {name: [cells[n].strip() or None for _, cells in found] for n, name in enumerate(header)}
    return Rows(tuple(header), columns, [place for place, _ in found])


def _read_json_lines(path: Path, text: str) -> Rows:
    problems: list[str] = []
    found: list[tuple[str, dict[str, Any]]] = []
    twice: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            content = json.loads(line, object_pairs_hook=lambda pairs, at=place: _once(pairs, at, twice))
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}: {place} is not JSON ({error}).")
            continue
        if isinstance(content, dict):
            found.append((place, content))
        else:
            problems.append(f'{path}: {place} is no object, expected {{"id": ..., "label": ...}}.')
    if problems and _is_json(text):
        raise DataError(
            f"{path}: is JSON as a whole, expected one object in each line. Save it so (pandas: to_json(file, "
            "orient='records', lines=True))."
        )
    if twice:
        problems.append(f"{path}: a name twice in one object: {list_places(twice)}. Rename one of them.")
    names = tuple(dict.fromkeys(name for _, content in found for name in content))
    places = [place for place, _ in found]
    columns = {name: [content.get(name) for _, content in found] for name in names}
    return _rows_of(path, names, columns, places, problems)


def _once(pairs: list[tuple[str, Any]], place: str, twice: list[str]) -> dict[str, Any]:
    """Return an object; a name that is there twice is noted: which of the two is meant, nobody can know."""
    names = [name for name, _ in pairs]
    twice += [f"{place} ('{name}')" for name in dict.fromkeys(names) if names.count(name) > 1]
    return dict(pairs)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (list, dict))
    except (ValueError, RecursionError):
        return False


def _read_parquet(path: Path) -> Rows:
    import pandas

    need("pyarrow", f"{path}: reading Parquet", "save the manifest as .csv or .jsonl")
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except Exception as error:  # pyarrow's errors are of many classes
        raise DataError(f"{path}: cannot be read as Parquet ({error}).") from error
    index = [name for name in frame.index.names if name is not None]
    if index:  # a column that pandas had set apart
        frame = frame.reset_index(index, allow_duplicates=True)
    names = tuple(str(name) for name in frame.columns)
    columns = {name: list(frame.iloc[:, n]) for n, name in enumerate(names)}
    return _rows_of(path, names, columns, [f"row {number}" for number in range(len(frame))], [])


def _rows_of(
    path: Path, names: tuple[str, ...], values: dict[str, list[Any]], places: list[str], problems: list[str]
) -> Rows:
    """Return values of any kind as a table of text.

    Raises:
        DataError: some are neither texts nor numbers, or there are problems already.
    """
    wrong: dict[tuple[str, str], list[str]] = {}
    columns = {name: [_word(value) for value in values[name]] for name in names}
    for name in names:
        for place, value in zip(places, values[name], strict=True):
            if _is_many(value):
                wrong.setdefault((name, type(value).__name__), []).append(place)
    said = [
        f"{path}: '{name}' holds {kind} in {list_places(rows)}, expected a text, a number or nothing."
        + (" For media that lie in a table, give its folder (a data set of Hugging Face)." if kind in _MEDIA else "")
        for (name, kind), rows in wrong.items()
    ]
    raise_problems([*first_problems(problems, 2 * SHOWN), *said], str(path))
    return Rows(names, columns, places)


def _is_many(value: Any) -> bool:
    return isinstance(value, (list, dict, bytes)) or bool(getattr(value, "ndim", 0))


def _word(value: Any) -> str | None:
    """Return a value as text; a whole float, which is how a table with empty cells holds integers, as an integer."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value.strip() or None
    if _is_many(value) or is_missing(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
