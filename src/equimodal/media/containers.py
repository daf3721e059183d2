"""Files that hold streams (MP4, FLV, AVI, Matroska, ...), opened with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equimodal.extras import need
from equimodal.media.content import File, readable, size_of
from equimodal.media.riff import check_riff
from equimodal.media.unreadable import Unreadable

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,ogg,wav,mp3,aac,flac,aiff,amr,gif,m4v,h264"
)
"""What may be opened. Playlists are not among them: they would lead to other files and to the network."""


CLOCK = 1_000_000
"""Ticks of a container's own clock in a second."""
_SHARE, _SLACK = 0.9, 0.5


@contextmanager
def opened(file: File) -> Iterator[Any]:
    """Give an open container while the block runs.

    Raises:
        Unreadable: it is empty, of no known form, or damaged where the block reads it.
    """
    av = need("av")
    if not size_of(file):
        raise Unreadable("empty", "holds no byte")
    check_riff(file)
    av.logging.set_level(av.logging.PANIC)  # what is wrong is said once, by us
    source = str(file.absolute()) if isinstance(file, Path) else readable(file)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(source, options=options, metadata_errors="replace") as container:
            if not container.streams:
                raise Unreadable("damaged", "holds no stream, and may be cut short")
            yield container
    except Unreadable:
        raise
    except (av.error.FFmpegError, av.error.EOFError, ValueError, IndexError) as error:
        raise Unreadable("damaged", f"cannot be decoded ({getattr(error, 'strerror', None) or error})") from error


def check_length(container: Any, stream: Any, seconds: float) -> None:
    """Check that a stream is about as long as its file says.

    Args:
        container: the open file.
        stream: of it.
        seconds: how long the stream was found to be.

    Raises:
        Unreadable: it ends more than half a second, and a tenth of its length, too early.
    """
    claimed = float(stream.duration * stream.time_base) if stream.duration else None
    if claimed is None and len(container.streams) == 1 and container.duration:
        claimed = container.duration / CLOCK
    if claimed is not None and seconds < _SHARE * claimed - _SLACK:
        raise Unreadable("cut short", f"ends after {seconds:.1f} of {claimed:.1f} seconds")
