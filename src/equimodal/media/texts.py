"""Texts, in files of their own."""

from __future__ import annotations

from pathlib import Path

from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable

MOST_BYTES = 1_000_000


def read_text(path: Path, settings: MediaSettings) -> str:
    """Return a text file as one line, see `one_line`.

    Raises:
        Unreadable: it is empty, larger than a megabyte, or not in `settings.encoding`.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise Unreadable("too large", f"is a text of {size} bytes, more than {MOST_BYTES}")
    try:
        text = one_line(path.read_bytes().decode(settings.encoding))
    except UnicodeDecodeError as error:
        raise Unreadable(
            "not text", f"is not {settings.encoding} text ({error.reason} at byte {error.start}); see --encoding"
        ) from error
    if not text:
        raise Unreadable("empty", "holds no letter")
    return text


def one_line(text: str) -> str:
    r"""Return a text with single spaces in place of all white space, as it is stored in one line of a file.

    Characters that no UTF-8 file can hold become question marks.

    Example:
        >>> one_line("\ufeffa  dog,\nbarking ")
        'a dog, barking'
    """
    return " ".join(text.replace("\ufeff", "").encode("utf-8", "replace").decode().split())
