"""Writing files so that a half-written one is never taken for whole."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from equimodal.errors import RunError

_CURES = {
    "free some space or choose another folder": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "choose another name, for a folder has this one": (errno.EISDIR,),
    "choose another folder, for a file is in the way": (errno.ENOTDIR, errno.EEXIST),
    "choose a folder that you may write to": (errno.EACCES, errno.EPERM, errno.EROFS),
}


def write_whole(path: Path, write: Callable[[Path], None], then: str = "go on with --resume") -> None:
    """Let ``write`` fill a temporary file beside ``path``, then give it the name; on failure nothing is left.

    Args:
        path: the file; its folder is made if need be.
        write: fills the file that it is given.
        then: what to do once the cause of a failure is mended.

    Raises:
        RunError: the disk is full or not writable; ``path`` is as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{path.name}.*"):
            stale.unlink(missing_ok=True)  # left by a process killed while it wrote
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # on the disk before the name is: a power cut leaves the old file or the new
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        cure = next((cure for cure, codes in _CURES.items() if error.errno in codes), "choose another folder")
        raise RunError(
            f"{path}: could not be written ({reason}). What was there before is untouched; {cure}, then {then}."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, then: str = "go on with --resume") -> None:
    """Write a text file whole, UTF-8; see :func:`write_whole`."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_whole(path, write, then)


def safe_name(label: str) -> str:
    """Return a name that is safe for a file or folder: of a method's label or a data set's name.

    Example:
        >>> safe_name("paper:order=strong_to_weak")
        'paper-order-strong_to_weak'
    """
    return re.sub(r"[^\w.]+", "-", label).strip("-.") or "unnamed"
