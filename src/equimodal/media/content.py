"""A media file that lies in memory, for instance because it came out of a table."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from equimodal.files import file_checksum


@dataclass(frozen=True)
class Content:
    """The bytes of a file.

    Args:
        data: the bytes.
        name: what the file was called, if it had a name. For sound its ending chooses the reader.

    Example:
        >>> Content(b"RIFF", "speech/one.WAV").suffix
        '.WAV'
    """

    data: bytes = field(repr=False)
    name: str = ""

    @property
    def suffix(self) -> str:
        """The ending of the name, as a path has it."""
        return PurePosixPath(self.name).suffix


File = Path | Content
"""Bytes on disk or in memory."""


def size_of(file: File) -> int:
    """Return how many bytes a file has."""
    return len(file.data) if isinstance(file, Content) else file.stat().st_size


def readable(file: File) -> Path | io.BytesIO:
    """Return what decoders open: a path, or a stream that begins at the first byte."""
    return io.BytesIO(file.data) if isinstance(file, Content) else file


def digest_of(file: File) -> str:
    """Return the SHA-256 of a file, which is the same on disk and in memory."""
    return hashlib.sha256(file.data).hexdigest() if isinstance(file, Content) else file_checksum(file)
