"""The files of a download, looked through once; and what to say where they are not those that were expected."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from equimodal.errors import DataError
from equimodal.preparation.record import FILE as PREPARED
from equimodal.preparation.tables import list_places
from equimodal.preparation.walking import unreadable

_SHOWN = 6
_POINTER_BYTES = 1024


class Tree:
    """A folder and all files below it, sorted; hidden ones are passed over, as are links to folders and to nothing.

    Args:
        root: the folder.
        expected: what it should look like, for messages.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a1.wav").touch()
        >>> [(match["n"], path.name) for match, path in Tree(folder, "a<n>.wav").named(r"a(?P<n>\\d)\\.wav")]
        [('1', 'a1.wav')]
    """

    def __init__(self, root: Path, expected: str) -> None:
        self.root = root.resolve()
        self.expected = expected

    @cached_property
    def files(self) -> list[Path]:
        """All files, sorted by their path.

        Raises:
            DataError: a folder cannot be read.
        """
        found: list[Path] = []
        for folder, below, names in os.walk(self.root, onerror=_refuse):
            if PREPARED in names:  # what was made of a download may lie within it
                below.clear()
                continue
            below[:] = [name for name in below if not name.startswith(".") and name != "__MACOSX"]
            found += [path for name in names if not name.startswith(".") and (path := Path(folder, name)).is_file()]
        return sorted(found)

    def named(self, pattern: str) -> Iterator[tuple[re.Match[str], Path]]:
        """Yield the files whose name matches a regular expression as a whole, in any letter case, wherever they are."""
        form = re.compile(pattern, re.IGNORECASE)
        return ((match, path) for path in self.files if (match := form.fullmatch(path.name)))

    def placed(self, pattern: str) -> Iterator[tuple[re.Match[str], Path]]:
        """Yield the files whose path ends as a regular expression says, with slashes, after any folders or none."""
        form = re.compile(rf"(?:.*/)?(?:{pattern})", re.IGNORECASE)
        return (
            (match, path) for path in self.files if (match := form.fullmatch(path.relative_to(self.root).as_posix()))
        )

    def one(self, name: str) -> Path | None:
        """Return the file of this name that is least deep, or None. Of several at one depth it is the first by name."""
        found = [path for _, path in self.named(re.escape(name))]
        return min(found, key=lambda path: (len(path.parts), path), default=None)

    def check_whole(self, listed: Mapping[str, int], found: Mapping[str, int], what: str) -> None:
        """Check that something of all that a list names is there: a folder that is missing as a whole is no accident.

        Args:
            listed: how many files the list names, by folder, class or part.
            found: how many of them are there.
            what: they are, before a name: "images of".

        Raises:
            DataError: none of some folder's files is there.
        """
        none = sorted(name for name, count in listed.items() if count and not found.get(name))
        if none:
            shown = ", ".join(none[:_SHOWN]) + (", ..." if len(none) > _SHOWN else "")
            raise self.unlike(
                f"{what} {shown} ({len(none)} of {len(listed)} for which the list names files) were",
                "Finish the download and unpack all of it.",
            )

    def unlike(self, looked_for: str, advice: str = "") -> DataError:
        """Return the error that what was looked for is not there; it says what is.

        Args:
            looked_for: in words.
            advice: what to do, beyond giving the right folder.
        """
        endings = Counter(path.suffix.lower() or "no ending" for path in self.files)
        listed = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(_SHOWN)) or "none"
        folders = sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.is_symlink())
        shown = ", ".join(folders[:_SHOWN]) + (", ..." if len(folders) > _SHOWN else "") if folders else "none"
        zipped = any(ending in (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z") for ending in endings)
        links = sorted(path.name for path in self.root.rglob("*") if path.is_symlink() and not path.is_file())
        followed = (
            f" Links to folders, and to files that are not there, are not followed ({list_places(links)}): put the "
            "content there."
            if links
            else ""
        )
        unpack = " Unpack the archives first." if zipped else ""
        tree = "\n".join(f"    {line}" for line in self.expected.strip().splitlines())
        return DataError(
            f"{self.root}: {looked_for} not found. Files below it: {len(self.files)} ({listed}); folders: {shown}."
            f"{unpack}{followed} {advice or 'Name the folder of the download with --root.'} Expected below it:\n{tree}"
        )

    def check_content(self, paths: Iterable[Path]) -> None:
        """Check that files hold media, and not what a clone without Git LFS has in their place.

        Raises:
            DataError: some are pointers of Git LFS.
        """
        files = list(paths)
        small = (path for path in files if path.stat().st_size < _POINTER_BYTES)
        pointers = [path for path in small if path.read_bytes().startswith(b"version https://git-lfs")]
        if pointers:
            raise DataError(
                f"{self.root}: {len(pointers)} of {len(files)} files are pointers of Git LFS, and not the media (the "
                f"first is {pointers[0].relative_to(self.root).as_posix()}). Run git lfs pull in the clone."
            )


def _refuse(error: OSError) -> None:
    raise unreadable(Path(error.filename), error)


def count_notes(found: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    """Return a sentence for each count that is not the published one.

    Example:
        >>> count_notes({"clips": 7440, "actors": 91}, {"clips": 7442, "actors": 91})
        ['7440 clips, published are 7442 (2 fewer).']
    """
    notes = []
    for what, expected in published.items():
        count = found.get(what, 0)
        if count != expected:
            word = "fewer" if count < expected else "more"
            notes.append(f"{count} {what}, published are {expected} ({abs(count - expected)} {word}).")
    return notes


def nonzero_notes(counted: Mapping[str, int]) -> list[str]:
    """Return a sentence for each count that is not 0.

    Example:
        >>> nonzero_notes({"Clips in no list": 3, "Clips without sound": 0})
        ['Clips in no list: 3.']
    """
    return [f"{what}: {count}." for what, count in counted.items() if count]


def verb_of(names: Sequence[str]) -> str:
    """Return "was" of one thing, and "were" of several, for `Tree.unlike`."""
    return "was" if len(names) == 1 else "were"
