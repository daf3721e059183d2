"""Names in figures: how wide they are, cut in their middle, or whole on several lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

WIDTH = 24
"""Cells of a line: a name's characters, the wide ones counted twice."""


def cells(text: str) -> int:
    """Return how wide a text is, in characters of the usual width.

    Example:
        >>> cells("abc"), cells("形態")
        (3, 4)
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def label_room(labels: Sequence[str]) -> float:
    """Return the points that labels take which are cut to one line each."""
    return room([shorten(label) for label in labels])


def room(lines: Sequence[str]) -> float:
    """Return the points that the widest of some lines takes beside an axis."""
    return 12 + 5.9 * max(map(cells, lines))


def shorten(text: str, width: int = WIDTH) -> str:
    """Return a name on one line, cut in its middle to at most `width` cells; the page shows it in full elsewhere.

    Example:
        >>> shorten("profile correlations of the outline", 15)
        'profile…outline'
    """
    text = plain(text)
    if cells(text) <= width:
        return text
    front, back = len(text), len(text)
    while cells(text[:front]) > (width - 1) // 2 + (width - 1) % 2:
        front -= 1
    while cells(text[len(text) - back :]) > (width - 1) // 2:
        back -= 1
    return f"{text[:front].rstrip()}…{text[len(text) - back :].lstrip()}"


def wrap(text: str, width: int = WIDTH) -> list[str]:
    """Return a whole name on lines of at most `width` cells; a longer word goes on in the next line.

    Example:
        >>> wrap("profile correlations of the outline", 15)
        ['profile', 'correlations of', 'the outline']
    """
    lines = [""]
    for word in plain(text).split():
        joined = f"{lines[-1]} {word}".lstrip()
        if cells(joined) <= width:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if cells(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def plain(text: str) -> str:
    """Return a text on one line, without what cannot be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
