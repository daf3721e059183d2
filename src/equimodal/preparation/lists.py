"""Lists that come with a download: every line that is not of their form is named, all in one message."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from equimodal.errors import DataError
from equimodal.preparation.tables import Rows, list_places, read_table, text_of

_SHOWN = 60


def read_lines(path: Path, form: str, example: str, header: str | None = None) -> list[tuple[str, re.Match[str]]]:
    r"""Return the lines of a list that is no table: the place of each, and its parts.

    Args:
        path: of the list. Empty lines are passed over.
        form: regular expression that each line matches as a whole, without white space at its ends.
        example: a line, for messages.
        header: regular expression of a first line that may be there, and is passed over.

    Raises:
        DataError: it cannot be read, has no line, or lines of another form; all of these are counted.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "labels.txt")
        >>> _ = path.write_text("id\tlabel\n1\tgood\n\n2\tbad\n")
        >>> [(place, match["id"]) for place, match in read_lines(path, r"(?P<id>\d+)\t\w+", "1<tab>good", r"id\t.*")]
        [('line 2', '1'), ('line 4', '2')]
    """
    found: list[tuple[str, re.Match[str]]] = []
    wrong: list[str] = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        content = line.strip()
        if not content or (number == 1 and header is not None and re.fullmatch(header, content, re.IGNORECASE)):
            continue
        match = re.fullmatch(form, content)
        if match:
            found.append((f"line {number}", match))
        else:
            wrong.append(f"line {number} ('{content[:_SHOWN]}')")
    if wrong:
        raise DataError(
            f"{path}: expected lines like '{example}', but not so in {list_places(wrong)}. Take the list as it is "
            "downloaded, or mend these lines."
        )
    if not found:
        raise DataError(f"{path}: has no line, expected lines like '{example}'. Download it again.")
    return found


def read_columns(path: Path, columns: tuple[str, ...], text: Callable[[Path], str] = text_of) -> Rows:
    """Return a table that has certain columns, and perhaps others.

    Args:
        path: of the table.
        columns: that it must have.
        text: how a `.csv` or `.jsonl` becomes text, see `equimodal.preparation.encodings`.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    table = read_table(path, text)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: has no column {', '.join(missing)}; its columns are {', '.join(table.columns)}. Expected "
            f"{', '.join(columns)}: take the list as it is downloaded, or name its columns so."
        )
    return table
