"""Shards: rows of features in files that are written once, and checked before they are used."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.features.manifest import THEN, Shard
from equimodal.files import file_checksum, write_whole

ROWS, VALUES, OFFSETS = "rows.npy", "features.npy", "offsets.npy"
"""Files of a shard: the numbers of its rows (n,); features (n, width), or all rows' tokens (tokens, width) one after
another; and, for tokens, where each row begins (n + 1,)."""

_verified: set[tuple[str, int, int]] = set()
"""Files whose checksum this process has seen to be right, as (path, size, time of change)."""


class _Digesting:
    """A file that is written to, with the checksum and size of what was written.

    It is no file of the operating system to NumPy, which would otherwise write past it and hide the reason of a
    failure.
    """

    def __init__(self, file: Any) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)


def write_shard(folder: Path, rows: np.ndarray, values: Sequence[np.ndarray], ragged: bool) -> Shard:
    """Write features as a new shard.

    Args:
        folder: of the column's features.
        rows: numbers of the rows, int64 (n,).
        values: features of each row, n arrays (width,), or (tokens, width).
        ragged: whether rows are tokens.

    Raises:
        RunError: the disk is full or not writable; nothing of the shard is left.
    """
    name = f"shard-{secrets.token_hex(6)}"  # never the name of one that was removed, which others may still read
    arrays = {ROWS: rows.astype(np.int64), VALUES: np.concatenate(values) if ragged else np.stack(values)}
    if ragged:
        arrays[OFFSETS] = np.concatenate([[0], np.cumsum([len(row) for row in values])]).astype(np.int64)
    files = {f"{name}.{kind}": array for kind, array in arrays.items()}
    written: dict[str, tuple[int, str]] = {}
    try:
        for file, array in files.items():
            written[file] = _write(folder / file, array)
    except BaseException:
        remove_files(folder, files)
        raise
    return Shard(name, len(rows), written)


def _write(path: Path, array: np.ndarray) -> tuple[int, str]:
    found = (0, "")

    def fill(temporary: Path) -> None:
        nonlocal found
        with temporary.open("wb") as file:
            target = _Digesting(file)
            np.lib.format.write_array(target, array, allow_pickle=False)  # pyright: ignore[reportArgumentType]
            found = target.size, target.digest.hexdigest()

    write_whole(path, fill, THEN)
    return found


def is_sound(folder: Path, shard: Shard) -> bool:
    """Return whether a shard's files are what was written.

    Sizes are compared each time, checksums once in a process for as long as a file is not changed.
    """
    try:
        return all(_is_right(folder / name, size, digest) for name, (size, digest) in shard.files.items())
    except OSError:
        return False


def _is_right(path: Path, size: int, digest: str) -> bool:
    found = path.stat()
    if found.st_size != size:
        return False
    state = (str(path), size, found.st_mtime_ns)
    if state in _verified:
        return True
    if file_checksum(path) != digest:
        return False
    _verified.add(state)
    return True


def row_numbers(folder: Path, shard: Shard) -> np.ndarray:
    """Return which rows a sound shard holds, int64 (n,)."""
    return np.load(folder / f"{shard.name}.{ROWS}", allow_pickle=False)


def remove_files(folder: Path, names: Sequence[str] | Mapping[str, Any]) -> None:
    """Remove files of a shard; one that is gone, or that the system keeps while others read it, is passed over."""
    for name in names:
        with suppress(OSError):
            (folder / name).unlink()
