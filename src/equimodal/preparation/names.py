"""Names and words that look alike, or cannot be written."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def is_unicode(word: str) -> bool:
    r"""Return whether a word can be written in UTF-8: not so names of files in another encoding, and torn characters.

    Example:
        >>> is_unicode("é"), is_unicode("\udce9")
        (True, False)
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def alike(words: Iterable[str]) -> list[list[str]]:
    r"""Return words that differ only in case, in spaces, or in how accents are written (NFC, NFD).

    Example:
        >>> alike(["cat", "dog", "Cat"]), len(alike(["caf\u00e9", "cafe\u0301"]))
        ([['Cat', 'cat']], 1)
    """
    found: dict[str, set[str]] = defaultdict(set)
    for word in words:
        found[_key(word)].add(word)
    return [sorted(each) for each in found.values() if len(each) > 1]


def nearly(root: Path, name: str) -> str:
    """Return in words which file has nearly the name of one that is not there; empty where none has.

    Args:
        root: the folder that the name counts from.
        name: a path, perhaps with the slashes of Windows, other capitals, or accents written in another way.
    """
    here = root
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        try:
            fitting = sorted(path for path in here.iterdir() if _key(path.name) == _key(part))
        except OSError:
            return ""
        if not fitting:
            return ""
        here = next((path for path in fitting if path.name == part), fitting[0])
    there = here.relative_to(root).as_posix()
    if there == name:
        return ""
    if unicodedata.normalize("NFC", there) == unicodedata.normalize("NFC", name):
        return "; there is one whose accents are written in another way (NFC, NFD)"
    return f"; there is {there!r}"


def _key(word: str) -> str:
    return " ".join(unicodedata.normalize("NFC", word).casefold().split())
