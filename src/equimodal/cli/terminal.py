"""Printing on terminals that do not know every character: cp1252, ASCII, GBK."""

from __future__ import annotations

import codecs
import io
import sys

PLAIN = {"−": "-", "–": "-", "—": "-", "±": "+/-", "×": "x", "…": "...", "≤": "<=", "≥": ">=", "→": "->", "•": "*"}  # noqa: RUF001
"""What is printed in place of a character that the terminal does not know; a "?" would hide a minus sign."""


def print_anywhere() -> None:
    """Let the standard streams print every text: characters that the terminal does not know are written in others."""
    codecs.register_error("equimodal", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where a test or a notebook put another stream in its place
            stream.reconfigure(errors="equimodal")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    written = [PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii") for letter in unknown]
    return "".join(written), error.end
