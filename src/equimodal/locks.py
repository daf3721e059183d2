"""One writer per folder: a second process gets one clear message instead of mixed files."""

from __future__ import annotations

from collections.abc import Iterator
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
