"""Arrays on disk with rows that are written at their places, in any order, by several processes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equimodal.errors import RunError
from equimodal.media.forms import Form


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in words that a file cannot be written, while the block runs.

    Raises:
        RunError: the disk is full or not writable.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: could not be written ({error.strerror or error}). Free some space, or choose another folder with "
            "--out; then start again: what was finished is kept."
        ) from error


@dataclass(frozen=True)
class Target:
    """A `.npy` file whose rows are written piece by piece.

    Args:
        path: the file.
        form: of its rows.
        count: how many rows.
    """

    path: Path
    form: Form
    count: int

    def create(self) -> None:
        """Make the file, at its full size, with zeros that take no room yet."""
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(self.form.dtype)), "fortran_order": False}
        with self.path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {**header, "shape": (self.count, *self.form.shape)})
            file.truncate(file.tell() + self.count * self.form.row_bytes)

    def write(self, start: int, block: np.ndarray) -> None:
        """Write rows from `start` on.

        Raises:
            RunError: the disk is full or not writable.
        """
        with writing(self.path), self.path.open("r+b") as file:
            file.seek(self._offset() + start * self.form.row_bytes)
            file.write(np.ascontiguousarray(block).tobytes())

    def check(self, piece: range) -> int:
        """Return a checksum of a piece's rows as they are on disk."""
        with self.path.open("rb") as file:
            file.seek(self._offset() + piece.start * self.form.row_bytes)
            return zlib.crc32(file.read(len(piece) * self.form.row_bytes))

    def _offset(self) -> int:
        return self.path.stat().st_size - self.count * self.form.row_bytes


def checks_of(targets: Mapping[str, Target], piece: range) -> dict[str, int]:
    """Return the checksums of a piece in every file."""
    return {name: target.check(piece) for name, target in targets.items()}
