"""Reading and writing `.npy` and `.npz` without pickle, each failure one message."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from equimodal.errors import DataError
from equimodal.files import write_whole

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip entry


def read_array(path: Path, key: str | None = None) -> np.ndarray:
    """Return the array in a `.npy` (memory-mapped) or an `.npz`.

    Args:
        path: the file.
        key: the array's name in an `.npz`.

    Raises:
        DataError: the file is missing, damaged, pickled, or of another form.
    """
    if path.suffix == ".npz":
        keys = npz_keys(path)
        if key not in keys:
            raise DataError(f"{path}: holds no array '{key}'. It has: {', '.join(keys) or 'none'}.")
        return _load_npz(path, key)
    if path.suffix.lower() == ".npy":
        return _load_npy(path)
    raise DataError(f"{path}: cannot read '{path.suffix}'. Save it as .npy or .npz.")


def npz_keys(path: Path) -> tuple[str, ...]:
    """Return the names of the arrays in an `.npz`.

    Raises:
        DataError: the file is not a whole `.npz`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a whole .npz ({error}). {_AGAIN}") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a compressed `.npz` whose bytes depend on the arrays and zlib's version only.

    Raises:
        RunError: the disk is full, or the folder cannot be written; the file is then as it was.
    """

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)

    write_whole(path, write, then="write it again")


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a SHA-256 over names, types, shapes and values, whatever the compression.

    Example:
        >>> checksum({"a": np.arange(3)}) == checksum({"a": np.arange(3).copy()})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data.cast("B") if array.dtype.kind != "U" else array.tobytes())
    return digest.hexdigest()


_AGAIN = "Copy or save it again."
_PICKLED = (
    "holds Python objects (a pickle), which is never loaded. Save plain numbers or strings: "
    "np.save(file, array.astype('float32')), or .astype(str)."
)


def _load_npy(path: Path) -> np.ndarray:
    try:
        return np.lib.format.open_memmap(path, mode="r")  # unlike np.load, it knows no pickle at all
    except (OSError, EOFError, ValueError) as error:
        raise _unreadable(str(path), error) from error


def _load_npz(path: Path, key: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[key]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(f"{path}, array '{key}'", error) from error


def _unreadable(where: str, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return DataError(f"{where}: {_PICKLED}")
    return DataError(f"{where}: damaged or cut short ({error}). {_AGAIN}")
