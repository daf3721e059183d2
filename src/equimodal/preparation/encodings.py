"""Text of an encoding that is not declared."""

from __future__ import annotations

from pathlib import Path

from equimodal.errors import DataError

_WINDOWS = {
    code: letter for code in range(0x80, 0xA0) if (letter := bytes([code]).decode("cp1252", "ignore")) != chr(code)
}
"""What Windows-1252 has in the place of control characters."""


def decoded(content: bytes) -> str:
    r"""Return the text of a file whose encoding is not declared: UTF-8 if it can be, and else Windows-1252.

    A byte-order mark is left out. Control characters become the letters that Windows-1252 has in their place: a text
    that was taken for Latin-1 and saved as UTF-8 is mended with that.

    Example:
        >>> decoded("\ufeffdéjà".encode()), decoded("it’s déjà".encode("cp1252")), decoded("it\x92s".encode())
        ('déjà', 'it’s déjà', 'it’s')
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.translate(_WINDOWS)


def read_undeclared(path: Path) -> str:
    """Return a file as `decoded` does.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
