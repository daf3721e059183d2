"""WAV and AVI files say how long they are; their readers take what is there."""

from __future__ import annotations

import struct
from pathlib import Path

from equimodal.media.content import Content, File, size_of
from equimodal.media.unreadable import Unreadable

_UNKNOWN = 0xFFFFFFFF
"""What a recorder writes that does not know the length yet, or that cannot express it."""


def check_riff(file: File) -> None:
    """Check that a RIFF file is as long as its header says; other files pass.

    Raises:
        Unreadable: it is shorter.
    """
    head = file.data[:8] if isinstance(file, Content) else _beginning(file)
    if head[:4] == b"RIFF" and len(head) == 8:
        claimed, there = struct.unpack("<I", head[4:])[0] + 8, size_of(file)
        if there < claimed < _UNKNOWN:
            raise Unreadable("cut short", f"has {there} of {claimed} bytes")


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)
