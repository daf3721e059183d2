"""Arrays of numbers, each in the form of a `.npy` file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from equimodal.data.archive import read_array
from equimodal.errors import DataError
from equimodal.media.content import Content, File, size_of
from equimodal.media.unreadable import Unreadable


def open_array(file: File) -> np.ndarray:
    """Return an array of numbers, of a file on disk as a memory map; a single number becomes an array of one.

    Raises:
        Unreadable: it is damaged, holds no number, or something else than numbers.
    """
    if not size_of(file):
        raise Unreadable("empty", "holds no byte")
    if isinstance(file, Path) and file.suffix.lower() != ".npy":
        raise Unreadable("damaged", f"is a '{file.suffix}', expected a .npy with one array")
    try:
        array = np.atleast_1d(_in_memory(file) if isinstance(file, Content) else read_array(file))
    except DataError as error:
        raise Unreadable("damaged", str(error).removeprefix(f"{file}: ").rstrip(".")) from error
    if array.dtype.kind not in "biuf" or not array.size:
        raise Unreadable("wrong shape", f"holds {array.dtype} of shape {array.shape}, expected numbers")
    return array


def read_stored_array(file: File, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array whose shape is `shape`, in which `None` takes any size.

    Raises:
        Unreadable: see `open_array`; or its shape is another one, or it holds NaN or infinite numbers.
    """
    array = open_array(file)
    if len(array.shape) != len(shape) or any(
        size not in (None, found) for size, found in zip(shape, array.shape, strict=True)
    ):
        usual = str(tuple("T" if size is None else size for size in shape)).replace("'", "")
        raise Unreadable("wrong shape", f"has shape {array.shape}, most files have {usual}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Unreadable("not finite", "holds NaN or infinite numbers; leave the cell empty where a row is absent")
    return np.asarray(array)


def array_content(array: np.ndarray) -> Content:
    """Return an array as the `.npy` file that it would be."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return Content(stream.getvalue())


def _in_memory(content: Content) -> np.ndarray:
    return np.lib.format.read_array(io.BytesIO(content.data), allow_pickle=False)
