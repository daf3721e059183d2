"""Reading and writing arrays without pickle: ``.npy``, ``.npz``, text and CSV, each failure one message."""

from __future__ import annotations

import csv
import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from equimodal.data.checks import list_rows
from equimodal.errors import DataError
from equimodal.files import write_whole

SUFFIXES = (".npy", ".npz", ".txt", ".csv")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can bear


def read_array(path: Path, key: str | None = None, *, words: bool = False) -> np.ndarray:
    """Return the array in a file.

    Args:
        path: ``.npy`` (memory-mapped), ``.npz`` (``key`` says which), ``.txt`` (a string a line) or ``.csv``
            (numbers; a first line of names is passed over, an empty cell is NaN).
        key: the array's name in an ``.npz``.
        words: the file is one column of labels or names, none of them blank: whole numbers if all lines are such,
            else strings.

    Raises:
        DataError: the file is missing, damaged, pickled, or of another form.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. Check the name, or take the entry out.")
    if path.suffix == ".npz":
        keys = npz_keys(path)
        if key not in keys:
            raise DataError(f"{path}: holds no array '{key}'. It has: {', '.join(keys) or 'none'}.")
        return _load_npz(path, key)
    if key is not None:
        raise DataError(f"{path}: a key ('{key}') is for .npz files only. Leave it out.")
    if path.suffix == ".npy":
        return _load_npy(path)
    if path.suffix in (".txt", ".csv"):
        lines = _lines(path)
        if words:
            return _parse_words(path, lines)
        return np.array(lines, dtype=str) if path.suffix == ".txt" else _parse_numbers(path, lines)
    raise DataError(f"{path}: cannot read '{path.suffix}'. Save it as one of {', '.join(SUFFIXES)}.")


def npz_keys(path: Path) -> tuple[str, ...]:
    """Return the names of the arrays in an ``.npz``.

    Raises:
        DataError: the file is not a whole ``.npz``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a whole .npz ({error}). {_AGAIN}") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a compressed ``.npz`` whose bytes depend on the arrays and zlib's version only.

    Raises:
        RunError: the disk is full, or the folder cannot be written; the file is then as it was.
    """

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)

    write_whole(path, write, then="write it again")


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a SHA-256 over names, types, shapes and values, whatever the compression.

    Example:
        >>> checksum({"a": np.arange(3)}) == checksum({"a": np.arange(3).copy()})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data.cast("B") if array.dtype.kind != "U" else array.tobytes())
    return digest.hexdigest()


_AGAIN = "Copy or save it again."
_PICKLED = (
    "holds Python objects (a pickle), which is never loaded. Save plain numbers or strings: "
    "np.save(file, array.astype('float32')), or .astype(str)."
)


def _load_npy(path: Path) -> np.ndarray:
    try:
        return np.lib.format.open_memmap(path, mode="r")  # unlike np.load, it knows no pickle at all
    except (OSError, EOFError, ValueError) as error:
        raise _unreadable(str(path), error) from error


def _load_npz(path: Path, key: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[key]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(f"{path}, array '{key}'", error) from error


def _unreadable(where: str, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return DataError(f"{where}: {_PICKLED}")
    return DataError(f"{where}: damaged or cut short ({error}). {_AGAIN}")


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    lines = [line.removesuffix("\r") for line in lines]
    return lines[:-1] if lines[-1] == "" else lines


def _parse_words(path: Path, lines: list[str]) -> np.ndarray:
    if path.suffix == ".csv":
        cells, header = _only_column(path, lines), path.stem.lower()
        if cells and cells[0].lower() in (header, header.removesuffix("s")):
            cells = cells[1:]
    else:
        cells = [line.strip().strip('"').strip() for line in lines]
    blank = np.flatnonzero([not cell for cell in cells])
    if len(blank):
        raise DataError(f"{path}: blank in {list_rows(blank)}. Fill it in, or leave the sample out of every file.")
    try:
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    except ValueError:
        return np.array(cells, dtype=str)


def _only_column(path: Path, lines: list[str]) -> list[str]:
    """Return the cells of a table of one column; a comma, semicolon or tab may stand in quotes."""
    written = [line for line in lines if line.strip()]
    separator = next((mark for mark in ";\t" if written and all(mark in line for line in written)), ",")
    rows = [next(csv.reader([line], delimiter=separator, skipinitialspace=True), [""]) for line in lines]
    for number, (row, line) in enumerate(zip(rows, lines, strict=True), start=1):
        if len(row) > 1:
            raise DataError(
                f"{path}: expected one column, got {len(row)}: line {number} is {line!r}. Keep the column of "
                f"{path.stem} alone; an entry that holds {separator!r} goes into double quotes."
            )
    return [row[0].strip() if row else "" for row in rows]


def _parse_numbers(path: Path, lines: list[str]) -> np.ndarray:
    table = [row for row in csv.reader(lines) if row]
    first = 0
    if table and not any(_is_number(cell) for cell in table[0] if cell.strip()):
        first = 1 if any(cell.strip() for cell in table[0]) else 0
    rows = table[first:]
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}: ragged rows: row {number} has {len(row)} cells, row 0 has {len(rows[0])}. "
                "Give every row as many; an empty cell counts as NaN."
            )
        for column, cell in enumerate(row):
            if cell.strip() and not _is_number(cell):
                raise DataError(
                    f"{path}: row {number}, column {column} is {cell!r}, not a number. Put text into a .txt."
                )
    return np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows], dtype=np.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
