"""A section of a media file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from equimodal.media.content import File
from equimodal.media.unreadable import Unreadable

_OVER = 0.5
"""Seconds by which a section may end after its file: annotations are rounded, and the last frame has a length."""

Half = Literal["left", "right"]


@dataclass(frozen=True)
class Clip:
    """A section of a sound or video. It is read as if it had been cut out into a file of its own.

    Args:
        file: on disk or in memory.
        start: in seconds from the first frame or sample; None: from the beginning.
        end: in seconds; None: to the end.
        half: of all frames, for recordings that show two people side by side; None: whole frames.

    Example:
        >>> from pathlib import Path
        >>> str(Clip(Path("talk.avi"), 6.5, 9.25, "left"))
        'talk.avi [6.5 to 9.25 s, left half]'
        >>> str(Clip(Path("talk.avi")))
        'talk.avi'
    """

    file: File
    start: float | None = None
    end: float | None = None
    half: Half | None = None

    @property
    def section(self) -> str:
        """What of the file is meant, in words; empty for the whole file."""
        times = "" if self.start is None and self.end is None else self._times()
        half = f"{self.half} half" if self.half else ""
        return ", ".join(filter(None, (times, half)))

    def check_range(self, length: float) -> None:
        """Check that the section lies within its file.

        Args:
            length: of the file, in seconds.

        Raises:
            Unreadable: it begins after the end of the file, or ends more than half a second after it.
        """
        if (self.start or 0) >= length > 0 or (self.end or 0) > length + _OVER:
            raise Unreadable("out of range", f"lasts {length:.2f} seconds, and the section is {self._times()}")

    def _times(self) -> str:
        return f"{float(self.start or 0)} to {'the end' if self.end is None else f'{float(self.end)} s'}"

    def __str__(self) -> str:
        return f"{self.file} [{self.section}]" if self.section else str(self.file)


def as_clip(file: File | Clip) -> Clip:
    """Return a whole file as a section of itself."""
    return file if isinstance(file, Clip) else Clip(file)
