"""A media file that gives no row, and why."""

from __future__ import annotations

from typing import Literal

from equimodal.errors import DataError

Cause = Literal[
    "missing",
    "empty",
    "damaged",
    "cut short",
    "no sound",
    "no pictures",
    "too large",
    "too long",
    "out of range",
    "not text",
    "wrong shape",
    "not finite",
    "took too long",
    "crash",
]
"""Why a file gives no row; unreadable files are counted by it."""


class Unreadable(DataError):
    """A file cannot become a row.

    Args:
        cause: one of a few words, by which such files are counted.
        reason: what is wrong with this one.

    Example:
        >>> error = Unreadable("empty", "holds no byte")
        >>> error.cause, str(error)
        ('empty', 'holds no byte')
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause
