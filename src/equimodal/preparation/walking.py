"""All files below a folder: links are followed, but neither out of it nor in a circle, and no folder is lost."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from equimodal.errors import DataError
from equimodal.preparation.tables import list_places


@dataclass
class Found:
    """What lies below a folder, hidden files and folders aside.

    Args:
        files: sorted by their path.
        outside: links to files and folders that do not lie below the folder.
        loops: links that lead to a folder which they lie in, to themselves, or to each other.
        dead: links to what is not there.
        closed: folders that cannot be read.
    """

    files: list[Path] = field(default_factory=list)
    outside: list[Path] = field(default_factory=list)
    loops: list[Path] = field(default_factory=list)
    dead: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    def problems(self, root: Path) -> list[str]:
        """Return what is wrong with the links and folders, as messages; paths are named as seen from `root`."""
        kinds = [
            (f"Links that lead out of {root}", self.outside, "Copy the files, or write a manifest with --root."),
            ("Links that lead back to a folder above them, or to themselves", self.loops, "Remove them."),
            ("Links to files that are not there", self.dead, "Correct or remove them."),
            ("Folders that cannot be read", self.closed, "Give yourself permission to read them."),
        ]
        return [
            f"{what}: {list_places([path.relative_to(root).as_posix() for path in paths])}. {advice}"
            for what, paths, advice in kinds
            if paths
        ]


def look_through(folder: Path) -> Found:
    """Return all files below a folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.wav").touch()
        >>> (folder / "again").symlink_to(".")
        >>> (folder / "up").symlink_to("..")
        >>> look_through(folder).problems(folder)[1]
        'Links that lead back to a folder above them, or to themselves: again. Remove them.'
        >>> [path.name for path in look_through(folder).files]
        ['a.wav']
    """
    found = Found()
    _look(folder, (os.path.realpath(folder),), found)
    for paths in (found.files, found.outside, found.loops, found.dead, found.closed):
        paths.sort()
    return found


def entries_of(folder: Path) -> list[Path]:
    """Return what lies directly in a folder, sorted.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: OSError) -> DataError:
    """Return the error that a folder cannot be read."""
    return DataError(f"{folder}: cannot be read ({error.strerror}). Give yourself permission to read it.")


def _look(folder: Path, above: tuple[str, ...], found: Found) -> None:
    """Add what lies in a folder; `above` are the real paths of those that were gone through to it, and its own."""
    for entry in _scanned(folder, found):
        path = Path(entry.path)
        try:
            is_folder = entry.is_dir()
            entry.stat()
        except FileNotFoundError:
            found.dead.append(path)
            continue
        except OSError as error:
            (found.loops if error.errno == errno.ELOOP else found.closed).append(path)
            continue
        real = os.path.realpath(path) if entry.is_symlink() else os.path.join(above[-1], entry.name)  # noqa: PTH118
        if real in above:
            found.loops.append(path)
        elif not Path(real).is_relative_to(above[0]):
            found.outside.append(path)
        elif is_folder:
            _look(path, (*above, real), found)
        else:
            found.files.append(path)


def _scanned(folder: Path, found: Found) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        found.closed.append(folder)
        return []
