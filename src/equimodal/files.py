"""Writing files so that a half-written one is never taken for a whole one."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from equimodal.errors import RunError

_REMEDIES = {
    "free some space or choose another folder": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "choose another name, for a folder has this one": (errno.EISDIR,),
    "choose another folder, for a file is in the way": (errno.ENOTDIR, errno.EEXIST),
    "choose a folder that you may write to": (errno.EACCES, errno.EPERM, errno.EROFS),
    "choose another name, for this one leads to a link, a device or a pipe": (errno.ELOOP, errno.ENXIO),
}
_SUFFIX = ".equimodal-tmp"
_TEMPORARY = re.compile(r"\.(?P<host>[^.]*)\.(?P<process>\d+)\.[0-9a-f]+" + re.escape(_SUFFIX))
_NAME_KEPT = 40
"""Letters of a file's name in that of its temporary file, which must not become too long."""


def write_whole(path: Path, write: Callable[[Path], None], then: str = "continue with --resume") -> None:
    """Let `write` fill a temporary file beside `path`, then give it that name; on failure nothing is left.

    Of several writers of one file each writes the whole file, and the last one's stays. A symbolic link stays a link:
    the file that it leads to is written. The permissions of a file that is there are kept; those of a new one follow
    the umask. Temporary files of killed processes are removed, and no other file.

    Args:
        path: the file; its folder is made if there is none.
        write: fills the file that it is given.
        then: what to do once the cause of a failure is mended.

    Raises:
        RunError: the disk is full or not writable; `path` is as it was.
    """
    temporary: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        before = _mode(target)
        temporary = target.parent / _temporary_name(target)
        mode = _create(temporary)
        write(temporary)
        temporary.chmod(mode if before is None else before)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # on the disk before the name is: a power cut leaves the old file or the new one
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = next((words for words, codes in _REMEDIES.items() if error.errno in codes), "choose another folder")
        raise RunError(
            f"{path}: could not be written ({reason}). What was there before is untouched; {remedy}, then {then}."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, then: str = "continue with --resume") -> None:
    """Write a text file whole, in UTF-8; see `write_whole`."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_whole(path, write, then)


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_path(text: str | Path) -> Path:
    """Return a path in which `~` is the user's home; where there is no such user, it stays a name.

    Example:
        >>> str(user_path("~nobody-is-called-so/features"))
        '~nobody-is-called-so/features'
    """
    path = Path(text)
    with suppress(RuntimeError):
        return path.expanduser()
    return path


def safe_name(label: str) -> str:
    """Return a name that is safe for a file or folder, made of a method's label or a data set's name.

    Example:
        >>> safe_name("paper:order=strong_to_weak")
        'paper-order-strong_to_weak'
    """
    return re.sub(r"[^\w.]+", "-", label).strip("-.") or "unnamed"


def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:32]


def _temporary_name(target: Path) -> str:
    return f".{target.name[:_NAME_KEPT]}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}{_SUFFIX}"


def _create(temporary: Path) -> int:
    """Create a file that is not there, and return its permissions, which follow the umask."""
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)


def _mode(target: Path) -> int | None:
    """Return the permissions of the file that is there, or None.

    Raises:
        OSError: it is a folder, a device or a pipe, or a link to itself.
    """
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found):
        raise OSError(errno.ENXIO, "Not a regular file")
    return stat.S_IMODE(found)


def _remove_stale(target: Path) -> None:
    """Remove the temporary files of `target` that processes of this machine left when they were killed."""
    start = f".{target.name[:_NAME_KEPT]}"
    with suppress(PermissionError):  # a folder that may be written to but not listed, or another user's file
        for entry in os.scandir(target.parent):
            found = _TEMPORARY.fullmatch(entry.name[len(start) :]) if entry.name.startswith(start) else None
            if found and found["host"] == _host() and not _is_running(int(found["process"])):
                Path(entry.path).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
