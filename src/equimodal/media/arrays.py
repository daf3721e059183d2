"""Arrays of numbers, one `.npy` file per sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equimodal.data.archive import read_array
from equimodal.errors import DataError
from equimodal.media.unreadable import Unreadable


def open_array(path: Path) -> np.ndarray:
    """Return a memory map of an array of numbers; a single number becomes an array of one.

    Raises:
        Unreadable: it is damaged, holds no number, or something else than numbers.
    """
    if not path.stat().st_size:
        raise Unreadable("empty", "holds no byte")
    try:
        array = np.atleast_1d(read_array(path))
    except DataError as error:
        raise Unreadable("damaged", str(error).removeprefix(f"{path}: ").rstrip(".")) from error
    if array.dtype.kind not in "biuf" or not array.size:
        raise Unreadable("wrong shape", f"holds {array.dtype} of shape {array.shape}, expected numbers")
    return array


def read_stored_array(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array whose shape is `shape`, in which `None` takes any size.

    Raises:
        Unreadable: see `open_array`; or its shape is another one, or it holds NaN or infinite numbers.
    """
    array = open_array(path)
    if len(array.shape) != len(shape) or any(
        size not in (None, found) for size, found in zip(shape, array.shape, strict=True)
    ):
        usual = str(tuple("T" if size is None else size for size in shape)).replace("'", "")
        raise Unreadable("wrong shape", f"has shape {array.shape}, most files have {usual}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Unreadable("not finite", "holds NaN or infinite numbers; leave the cell empty where a row is absent")
    return np.asarray(array)
