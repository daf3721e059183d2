"""What is known of a prepared folder: `prepared.json`, with a checksum of every file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equimodal.data.description import DESCRIPTION
from equimodal.errors import MALFORMED, DataError, damage
from equimodal.files import file_checksum, write_text

FILE = "prepared.json"
WORK = ".preparing"
"""The folder within the data folder where rows are decoded; it is removed at the end."""
THEN = "start again: what was finished is kept"
"""What to do once the cause of a failed write is mended."""
_UNFINISHED = "its preparation was not finished: start the same command again, which continues it"


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Args:
        identity: of the plan, see `Plan.identity`.
        on_error: what became of unreadable files.
        settings: sizes, lengths and limits.
        given: samples in the manifest.
        rows: samples in the folder.
        dropped: by cause, samples that were left out.
        modalities: for each, what its files hold, kind, shape, and how many rows have it.
        unreadable: by modality and cause, how many files.
        duplicates: by modality, how many rows are the same as or near an earlier one, in all and across parts.
        notes: what the reader noticed.
        files: by path, size in bytes and SHA-256.
    """

    identity: str
    on_error: str
    settings: Mapping[str, Any]
    given: int
    rows: int
    dropped: Mapping[str, int]
    modalities: Mapping[str, Mapping[str, Any]]
    unreadable: Mapping[str, Mapping[str, int]]
    duplicates: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    files: Mapping[str, tuple[int, str]]


def write_record(folder: Path, record: Prepared) -> None:
    """Write `prepared.json`.

    Raises:
        RunError: the disk is full or not writable.
    """
    write_text(folder / FILE, json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", THEN)


def read_record(folder: Path) -> Prepared:
    """Return what is known of a prepared folder.

    Raises:
        DataError: there is none, or it is unreadable.
    """
    path = folder / FILE
    if not path.is_file() and (folder / WORK).is_dir():
        raise DataError(f"{folder}: {_UNFINISHED}.")
    if not path.is_file():
        raise DataError(
            f"{folder}: is no prepared folder (it has no {FILE}). Make one: equimodal prepare MANIFEST --out DIR."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {name: (int(size), str(digest)) for name, (size, digest) in content.pop("files").items()}
        return Prepared(**{**content, "notes": tuple(content["notes"])}, files=files)
    except MALFORMED as error:
        raise DataError(f"{path}: is damaged ({damage(error)}). Remove the folder and prepare it again.") from error


def state_of(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file."""
    return path.stat().st_size, file_checksum(path)


def check(folder: Path) -> Prepared:
    """Check that a prepared folder is whole: every file is there, and is what was written.

    Raises:
        DataError: it is not; every file that is not right is named.
    """
    record = read_record(folder)
    if not (folder / DESCRIPTION).is_file():
        raise DataError(f"{folder}: {_UNFINISHED}.")
    problems = []
    for name, (size, digest) in record.files.items():
        path = folder / name
        inside = Path(os.path.realpath(path)).is_relative_to(folder.resolve())
        if not inside or not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != size:
            problems.append(f"{name} has {path.stat().st_size} bytes, expected {size}")
        elif file_checksum(path) != digest:
            problems.append(f"{name} is not what was written (its SHA-256 differs)")
    if problems:
        raise DataError(f"{folder}: is not whole: {'; '.join(problems)}. Remove the folder and prepare it again.")
    return record
