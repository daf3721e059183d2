"""Rows that are files, decoded when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from equimodal.data.columns.base import CHUNK, Column, Kind, Selection, Spec, checksum_of, infer_kind
from equimodal.errors import DataError

Decoder = Callable[[Path], np.ndarray]
"""Reads a file and returns its content as numbers: a row of the column."""


class MediaColumn(Column):
    """One file per row, read and decoded each time the row is asked for.

    Rows of a sequence or a tensor may differ in their first axis; batches pad them. Pictures must have one size: let
    the decoder resize them.

    Args:
        paths: the file of each row (N,); `None` where the sample has none.
        decode: makes an array of a file. It must be a function that can be pickled if workers load the data.
        kind: what a row is; inferred from the first file by default.
        varies: the first axis of a row, time, differs from file to file.

    Raises:
        DataError: a file is missing or cannot be decoded, or there is none at all.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number in range(2):
        ...     np.save(folder / f"{number}.npy", np.full((4 + number, 3), number))
        >>> column = MediaColumn([folder / "0.npy", folder / "1.npy"], np.load, varies=True)
        >>> str(column.spec), [row.shape for row in column.take(slice(0, 2))]
        ('sequence (T, 3)', [(4, 3), (5, 3)])
    """

    def __init__(
        self,
        paths: Sequence[str | Path | None],
        decode: Decoder,
        kind: Kind | None = None,
        *,
        varies: bool = False,
    ) -> None:
        self.paths = [None if path is None else Path(path) for path in paths]
        self.decode = decode
        given = [path for path in self.paths if path is not None]
        missing = [path for path in given if not path.is_file()]
        if missing or not given:
            some = f"{len(missing)} of {len(given)} files are missing, the first is {missing[0]}" if missing else ""
            raise DataError(f"{some or 'no row has a file'}. Check the paths, or give None where a sample has none.")
        first = self._read(given[0])
        shape = (None, *first.shape[1:]) if varies else first.shape
        self._spec = Spec(kind or infer_kind((0, *first.shape), first.dtype), shape, first.dtype)

    @property
    def spec(self) -> Spec:
        """What the first file holds."""
        return self._spec

    @property
    def absent(self) -> np.ndarray:
        """Rows without a file: bool (N,)."""
        return np.array([path is None for path in self.paths], bool)

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Selection) -> np.ndarray | list[np.ndarray]:
        """Return the decoded files: an array (n, ...), or a list where the first axis varies.

        Raises:
            DataError: a file is gone, cannot be decoded, or its content has another shape.
        """
        numbers = np.arange(len(self))[rows]
        read = [self._checked(row) for row in numbers.tolist()]
        if self.spec.shape[:1] == (None,):
            return read
        return np.stack(read) if read else np.empty((0, *(size or 1 for size in self.spec.shape)), self.spec.dtype)

    def fingerprint(self) -> str:
        """Return a checksum of the files' content and of the decoder's name."""
        return checksum_of(self._content())

    def sizes(self) -> int:
        """Return a guess at how many values a row has: where the first axis varies, many."""
        return self.spec.size if None not in self.spec.shape else CHUNK // 16

    def _content(self) -> Iterator[str | bytes]:
        yield f"{getattr(self.decode, '__module__', '')}.{getattr(self.decode, '__qualname__', repr(self.decode))}\n"
        for path in self.paths:
            content = b"" if path is None else path.read_bytes()
            yield f"{path is None} {len(content)} "
            yield content

    def _read(self, path: Path) -> np.ndarray:
        try:
            content = np.asarray(self.decode(path))
        except Exception as error:  # a decoder's own errors are of any class
            raise DataError(f"{path}: cannot be decoded ({type(error).__name__}: {error}).") from error
        if content.dtype.kind not in "biuf" or content.ndim == 0:
            raise DataError(f"{path}: the decoder returned {content.dtype} of shape {content.shape}, not numbers.")
        return content

    def _checked(self, row: int) -> np.ndarray:
        path = self.paths[row]
        if path is None:
            raise DataError(f"row {row} has no file: its sample lacks the modality.")
        content = self._read(path)
        expected = self.spec.shape
        fits = len(expected) == content.ndim and all(
            size in (None, found) for size, found in zip(expected, content.shape, strict=True)
        )
        if not fits or not content.size:
            raise DataError(
                f"{path}: holds shape {content.shape}, the other files {expected}. Let the decoder return one shape."
            )
        if content.dtype.kind == "f" and not np.isfinite(content).all():
            raise DataError(f"{path}: holds NaN or infinite values. Mend the file, or give None where a row is absent.")
        return content
