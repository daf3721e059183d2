"""The folder of a data set as it is downloaded: files may be links into the hub's cache, or only half there."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

from equimodal.data.checks import raise_problems
from equimodal.errors import DataError
from equimodal.preparation.tables import list_places, text_of
from equimodal.preparation.walking import Found, look_through

MODELS = "models--"
_REPOSITORIES = ("datasets--", MODELS)
"""How the folders of the hub's cache begin: `datasets--ORG--NAME`."""
_BLOBS, _REF, _SNAPSHOTS = "blobs", "refs/main", "snapshots"
_UNFINISHED = "*.incomplete"
_LOCAL = ".cache/huggingface/download"
"""Where `hf download --local-dir` keeps what is not finished."""


def is_repository(folder: Path) -> bool:
    """Return whether a folder is one of the hub's cache, which holds snapshots of one data set."""
    return Path(os.path.realpath(folder)).name.startswith(_REPOSITORIES) and any(
        (folder / name).is_dir() for name in (_SNAPSHOTS, _BLOBS, "refs")
    )


def root_of(folder: Path) -> Path:
    """Return the folder that the files of a data set are in: of a repository of the hub's cache, its newest snapshot.

    Raises:
        DataError: `refs/main` names no snapshot that is there.

    Example:
        >>> import tempfile
        >>> repository = Path(tempfile.mkdtemp(), "datasets--some--clips")
        >>> (repository / "snapshots/0a1b").mkdir(parents=True)
        >>> (repository / "refs").mkdir()
        >>> (repository / "refs/main").write_text("0a1b")
        4
        >>> root_of(repository).name
        '0a1b'
    """
    root = folder.resolve()
    if root.name == _SNAPSHOTS and is_repository(root.parent):  # several snapshots would be read as one data set
        root = root.parent
    if not is_repository(root):
        return root
    snapshots = root / _SNAPSHOTS
    known = sorted(path.name for path in snapshots.iterdir()) if snapshots.is_dir() else []
    name = text_of(root / _REF).strip() if (root / _REF).is_file() else ""
    if name not in known or (snapshots / name).is_symlink():
        said = f"names '{name}'" if name else "is not there"
        advice = f", or give one of those in {_SNAPSHOTS}: {list_places(known)}" if known else ""
        raise DataError(
            f"{root}: expected {_REF} to name a snapshot, but it {said}. Download the data set again{advice}."
        )
    return snapshots / name


def leads_out(root: Path, path: Path) -> bool:
    """Return whether a path, or a link on it, leads out of a data set.

    Links of a snapshot may lead to the blobs of the same repository, where the hub's cache keeps the content of files.

    Args:
        root: of the data set, without links.
        path: of a file; it need not be there.

    Example:
        >>> leads_out(Path("/clips"), Path("/clips/data/../a.mp4")), leads_out(Path("/clips"), Path("/clips/../a.mp4"))
        (False, True)
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, a NUL, a name that is too long
        return True
    blobs = _blobs_of(root)
    return not target.is_relative_to(root) and (blobs is None or target.parent != blobs)


def check_file(root: Path, path: Path) -> None:
    """Check that a file, if there is one of this name, lies in the data set.

    Raises:
        DataError: it is a link that leads out of it, or to nothing.
    """
    name = path.relative_to(root).as_posix()
    if leads_out(root, path):
        raise DataError(outside(root, [name]))
    if path.is_symlink() and not path.exists():
        raise DataError(f"{root}: {name} is a link to a file that is not there. Start the download again.")


def check_links(root: Path) -> None:
    """Check that no link leads back to a folder above it, so that tables would be found again and again.

    Raises:
        DataError: some do, or a folder cannot be read.
    """
    found = look_through(root)
    raise_problems(Found(loops=found.loops, closed=found.closed).problems(root), str(root))


def outside(root: Path, names: list[str]) -> str:
    """Return the message for files that lead out of a data set."""
    return (
        f"{root}: expected files of the data set, but links lead out of it: {list_places(names)}. Put the files in "
        "their place."
    )


def check_finished(root: Path) -> None:
    """Check that no file is downloaded only in part.

    Raises:
        DataError: some are.
    """
    names = unfinished(root)
    if names:
        files = "1 file is" if len(names) == 1 else f"{len(names)} files are"
        raise DataError(
            f"{root}: {files} downloaded only in part: {list_places(names)}. Start the same download again, which "
            "continues it. If it is of an older download that is not needed any more, remove it."
        )


def unfinished(root: Path) -> list[str]:
    """Return the names of files that are downloaded only in part."""
    blobs = _blobs_of(root)
    found = chain((root / _LOCAL).rglob(_UNFINISHED), blobs.glob(_UNFINISHED) if blobs else ())
    return sorted(path.name for path in found)


def _blobs_of(root: Path) -> Path | None:
    """Return where the content of a snapshot's files is, if the root is one of the hub's cache or a folder below it."""
    for folder in (root, *root.parents):
        repository = folder.parent.parent
        if folder.parent.name == _SNAPSHOTS and repository.name.startswith(_REPOSITORIES):
            return repository / _BLOBS
    return None
