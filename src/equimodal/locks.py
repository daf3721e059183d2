"""One writer per folder: a second process gets one clear message, or waits, instead of mixing files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from equimodal.errors import RunError

FILE = ".lock"
"""The lock file in the folder. It may stay there: only a running process holds the lock, not the file."""


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
    lock = FileLock(folder / FILE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise RunError(
            f"{folder}: another process is writing {what} into this folder. "
            "Wait until it ends, or choose another folder with --out."
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{folder}: could not be locked for writing ({reason}). Choose another folder.") from error
    try:
        yield
    finally:
        lock.release()


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
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if say is not None:
                say(f"Waiting for another process that writes {what}.")
            lock.acquire()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"{file.parent}: {what} cannot be written there ({reason}). Choose another folder.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def free(file: Path) -> Iterator[bool]:
    """Hold a lock while the block runs, if nobody else does; the block is told whether it is held.

    Args:
        file: the lock file; its folder is made if needed.
    """
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
