"""A manifest: a table with one line per sample, which names its files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import cast

from equimodal.data.assignment import PARTS
from equimodal.data.checks import name_problems, raise_problems
from equimodal.errors import DataError, did_you_mean
from equimodal.media.clip import Clip
from equimodal.media.forms import MEDIA, Medium
from equimodal.preparation.layout import TIMED, WORDS, Cell, Layout, Sample
from equimodal.preparation.names import is_unicode, nearly
from equimodal.preparation.tables import SHOWN, Rows, list_places, read_table

COLUMNS = ("id", "label", "split", "group")
TIMES = ("start", "end")
SPLITS = {part: part for part in PARTS} | {str(number): part for number, part in enumerate(PARTS)} | WORDS
"""The words of a split, and what they mean."""
_NAME = re.compile(r"\w[\w -]*")
_TAKEN = ("labels", "split", "groups", "ids", "classes")


def read_manifest(path: Path, root: Path | None = None, ignore: Sequence[str] = (), missing_ok: bool = False) -> Layout:
    """Return what a manifest says.

    Args:
        path: a `.csv`, `.jsonl` or `.parquet`. Columns are `id`, `label`, `split` and `group`, each of which may be
            left out, and one per modality: `image`, `audio`, `video` or `text`; any other name with `:image` and so on
            behind it; or one whose cells are all `.npy` files. An empty cell is a missing modality. `start` and `end`,
            in seconds, choose a section of all sounds and videos of a line; either may be empty.
        root: the folder that paths are relative to, and must not leave; the manifest's own by default.
        ignore: names of columns that are not looked at.
        missing_ok: a file that is not there is no mistake.

    Raises:
        DataError: the table is wrong; all mistakes are reported in one message.
        ConfigError: a Parquet file where pyarrow is not installed.
    """
    table = read_table(path)
    if root is not None and not root.is_dir():
        raise DataError(f"--root: {root} is no folder. Name the folder that the paths in {path} are relative to.")
    root = (path.parent if root is None else root).resolve()
    problems = [
        f"--ignore: there is no column '{name}'.{did_you_mean(name, table.columns)}"
        for name in ignore
        if name not in table.columns
    ]
    table = table.without(ignore)
    media, named = _media(table, problems)
    problems += name_problems(media, fewest=1)
    files = _Files(root, missing_ok)
    cells = {modality: files.column(table, column, media[modality], modality) for modality, column in named.items()}
    problems += files.problems()
    sections = _sections(table, problems)
    if sections and not any(medium in TIMED for medium in media.values()):
        problems.append("Columns 'start' and 'end': there is no sound and no video. Leave them out with --ignore.")
    if sections:
        cells |= {name: _cut(column, sections) for name, column in cells.items() if media[name] in TIMED}
    ids = table.cells.get("id") or [str(number) for number in range(len(table.places))]
    problems += _column_problems(table)
    empty = [
        place for row, place in enumerate(table.places) if named and not any(c[row] is not None for c in cells.values())
    ]
    if empty and len(empty) == len(table.places):
        problems.append("Every cell of every modality is empty. Name the files.")
    elif empty:
        problems.append(f"No modality at all in {list_places(empty)}. Name a file, or leave the line out.")
    raise_problems(problems, str(path))
    columns = {name: table.cells.get(name) or [None] * len(ids) for name in COLUMNS[1:]}
    samples = [
        Sample(
            id=str(ids[row]),
            cells={modality: cell for modality, column in cells.items() if (cell := column[row]) is not None},
            label=columns["label"][row],
            split=None if (split := columns["split"][row]) is None else SPLITS[split.lower()],
            group=columns["group"][row],
        )
        for row in range(len(ids))
    ]
    return Layout(media, samples, root)


def _media(table: Rows, problems: list[str]) -> tuple[dict[str, Medium], dict[str, str]]:
    """Return what each modality's cells hold, and the name of its column."""
    media: dict[str, Medium] = {}
    named: dict[str, str] = {}
    for column in table.columns:
        if column in (*COLUMNS, *TIMES):
            continue
        name, colon, said = column.partition(":")
        word = said if colon else name if name in MEDIA else "array" if _all_end(table.cells[column], ".npy") else ""
        medium = cast(Medium, word) if word in MEDIA else None
        if medium is None:
            problems.append(_unknown(column, name, said if colon else None))
        elif name in media:
            problems.append(f"Column '{column}': there is another column of the modality '{name}'. Rename one of them.")
        elif is_reserved(name):
            problems.append(
                f"Column '{column}': a modality cannot be called '{name}'. Take letters, digits and _, and no name "
                f"that a file of a data folder has ({', '.join(_TAKEN)}, ..._present, ..._lengths)."
            )
        else:
            media[name], named[name] = medium, column
    return media, named


def is_reserved(name: str) -> bool:
    """Return whether a modality cannot have this name, because of its letters or of a data folder's other files."""
    return not _NAME.fullmatch(name) or name in _TAKEN or name.endswith(("_present", "_lengths"))


def _unknown(column: str, name: str, said: str | None) -> str:
    if said is not None:
        return (
            f"Column '{column}': '{said}' is no kind of media.{did_you_mean(said, MEDIA)} Correct it, or leave the "
            f"column out with --ignore {quote(column)}."
        )
    return (
        f"Column '{column}': unknown, and its cells are no .npy files."
        f"{did_you_mean(name, (*COLUMNS, *TIMES, *MEDIA))} Say what it holds, for instance '{name}:image', "
        f"or leave it out with --ignore {quote(name)}."
    )


def _all_end(cells: Iterable[str | None], suffix: str) -> bool:
    given = [cell for cell in cells if cell is not None]
    return bool(given) and all(cell.lower().endswith(suffix) for cell in given)


class _Files:
    """Cells as paths below a root, and those that cannot be."""

    def __init__(self, root: Path, missing_ok: bool) -> None:
        self.root, self.missing_ok = root, missing_ok
        self.outside: list[str] = []
        self.missing: list[str] = []
        self.mixed: list[str] = []

    def column(self, table: Rows, column: str, medium: Medium, modality: str) -> list[Cell | None]:
        """Return a column's cells: files, or texts where not all of them are `.txt` files."""
        cells = table.cells[column]
        if medium == "text" and not _all_end(cells, ".txt"):
            self.mixed += [
                f"{place} ({modality}: {cell[:80]!r})"
                for cell, place in zip(cells, table.places, strict=True)
                if cell is not None and cell.lower().endswith(".txt") and _is_file(self.root / cell)
            ]
            return list(cells)
        return [
            None if cell is None else self._path(cell, place, modality)
            for cell, place in zip(cells, table.places, strict=True)
        ]

    def _path(self, cell: str, place: str, modality: str) -> Path:
        try:
            path = (self.root / cell).resolve()
            inside = path.is_relative_to(self.root)
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError):  # a NUL, a name that is too long, a link to itself
            path, inside, is_file = self.root, False, False
        said = f"{place} ({modality}: {cell[:80]!r}"
        if not inside:
            self.outside.append(f"{said})")
        elif not self.missing_ok and not is_file:
            self.missing.append(f"{said}{nearly(self.root, cell) if len(self.missing) < SHOWN else ''})")
        return path

    def problems(self) -> list[str]:
        """Return what is wrong with the paths."""
        problems = []
        if self.outside:
            problems.append(
                f"Files outside of {self.root}, or no paths at all, in {list_places(self.outside)}. Paths are relative "
                "to the manifest's folder, and stay below it; name a higher folder with --root."
            )
        if self.mixed:
            problems.append(
                f"Text files among texts, in {list_places(self.mixed)}. Give .txt files in every cell of the column, "
                "or texts in every one."
            )
        if self.missing:
            problems.append(
                f"No such file below {self.root}: {list_places(self.missing)}. Correct the paths, name the folder that "
                "they lie in with --root, or empty the cells; or take these as missing modalities with --on-error "
                "missing."
            )
        return problems


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text that is too long to be a name
        return False


def _sections(table: Rows, problems: list[str]) -> list[tuple[float | None, float | None]]:
    """Return start and end of each row in seconds; none if the table has no such columns."""
    if not any(name in table.columns for name in TIMES):
        return []
    wrong: list[str] = []
    times = {name: [_seconds(cell) for cell in table.cells.get(name, [None] * len(table.places))] for name in TIMES}
    sections = list(zip(*times.values(), strict=True))
    for row, (start, end) in enumerate(sections):
        given = ", ".join(f"{name} {table.cells[name][row]!r}" for name in TIMES if name in table.cells)
        strange = any(time is not None and not 0 <= time < math.inf for time in (start, end))
        if strange or (end is not None and end <= (start or 0)):
            wrong.append(f"{table.places[row]} ({given})")
    if wrong:
        problems.append(
            f"Columns 'start' and 'end': no section in {list_places(wrong)}. Give seconds, with 0 <= start < end and "
            "a point before decimals, or leave the cell empty for the file's own beginning or end."
        )
    return sections


def _cut(cells: Sequence[Cell | None], sections: Sequence[tuple[float | None, float | None]]) -> list[Cell | None]:
    """Return files as sections of them."""
    return [
        Clip(cell, *section) if isinstance(cell, Path) else cell for cell, section in zip(cells, sections, strict=True)
    ]


def _seconds(cell: str | None) -> float | None:
    """Return a cell as a number; NaN where it is none."""
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return math.nan


def _column_problems(table: Rows) -> list[str]:
    """Return what is wrong with ids, labels, splits and groups."""
    problems = []
    for column in COLUMNS:
        cells = table.cells.get(column)
        if cells is None:
            continue
        blank = [place for cell, place in zip(cells, table.places, strict=True) if cell is None]
        torn = [
            place for cell, place in zip(cells, table.places, strict=True) if cell is not None and not is_unicode(cell)
        ]
        if torn:
            problems.append(f"Column '{column}': half of a character in {list_places(torn)}. Write it again.")
        if blank:
            problems.append(f"Column '{column}': empty in {list_places(blank)}. Fill it in, or leave the column out.")
    first: dict[str, str] = {}
    twice = []
    for cell, place in zip(table.cells.get("id", []), table.places, strict=False):
        if cell is not None and first.setdefault(cell, place) != place:
            twice.append(f"{place} ('{cell}', as in {first[cell]})")
    if twice:
        problems.append(f"Column 'id': the same id again in {list_places(twice)}. Give each sample its own.")
    strange = [
        f"{place} ('{cell}')"
        for cell, place in zip(table.cells.get("split", []), table.places, strict=False)
        if cell is not None and cell.lower() not in SPLITS
    ]
    if strange:
        problems.append(f"Column 'split': unknown words in {list_places(strange)}. Known: {', '.join(SPLITS)}.")
    return problems
