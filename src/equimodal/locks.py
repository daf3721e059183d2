"""One writer per folder: a second process gets one clear message, or waits, instead of mixing files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from equimodal.errors import RunError

FILE = ".lock"
"""The lock file in the folder. It may stay there: only a running process holds the lock, not the file."""


LOCKS = Path("/proc/locks")
"""Where Linux lists the locks that are held: `1: FLOCK ADVISORY WRITE <process> <device>:<inode> 0 EOF`."""


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for this process (and thread) while the block runs; the folder is made if needed.

    The operating system releases the lock when the process ends, however it ends.

    Args:
        folder: the folder to write into.
        what: a run, a comparison ..., for messages.

    Raises:
        RunError: another process or thread is writing into the folder, or it cannot be made or written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder), "a run"):
        ...     (Path(folder) / ".lock").exists()
        True
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file, and {what} needs a folder. Choose another name with --out.")
    held = _acquired(folder / FILE, f"{folder}: could not be locked for writing")
    if held is None:
        raise RunError(
            f"{folder}: another process is writing {what} into this folder. "
            "Wait until it ends, or choose another folder with --out."
        )
    with held:
        yield


@contextmanager
def taking_turns(file: Path, what: str, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock while the block runs; wait for as long as another process or thread holds it.

    Args:
        file: the lock file, which stays; its folder is made if needed.
        what: what is written under the lock, for messages.
        say: told once, in words, if there is somebody to wait for.

    Raises:
        RunError: the lock file cannot be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, taking_turns(Path(folder) / "lock", "features"):
        ...     (Path(folder) / "lock").exists()
        True
    """
    refused = f"{file.parent}: {what} cannot be written there"
    held = _acquired(file, refused)
    if held is None:
        if say is not None:
            say(f"Waiting for another process that writes {what}.")
        held = _acquired(file, refused, wait=True)
    with held or nullcontext():
        yield


@contextmanager
def free(file: Path) -> Iterator[bool]:
    """Hold a lock while the block runs, if nobody else does; the block is told whether it is held.

    Args:
        file: the lock file; its folder is made if needed.
    """
    held = None
    with suppress(RunError):  # it cannot be made: nobody can hold it
        held = _acquired(file, str(file))
    with held or nullcontext():
        yield held is not None


def is_held(folder: Path) -> bool:
    """Return whether a process of this machine holds a folder, see `locked`, as far as Linux says.

    The lock itself is not touched: taking it, even for a moment, could refuse it to a run that begins. What holds an
    inode of this number on another file system is mistaken for it: some file systems give their devices two numbers,
    so that a device cannot be compared.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     is_held(Path(folder))
        False
    """
    try:
        inode = str((folder / FILE).stat().st_ino)
        held = LOCKS.read_text(encoding="utf-8")
    except OSError:
        return False
    return inode in re.findall(r":(\d+) \d+ \w+$", held, flags=re.MULTILINE)


def _acquired(file: Path, refused: str, *, wait: bool = False) -> AbstractContextManager[object] | None:
    """Return a lock that is held, to be released by `with`; None if another process or thread holds it.

    Args:
        file: the lock file; its folder is made if needed.
        refused: the beginning of the message.
        wait: for as long as another holds it.

    Raises:
        RunError: the file cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(file).acquire(blocking=wait)
    except Timeout:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{refused} ({reason}). Choose another folder.") from error
