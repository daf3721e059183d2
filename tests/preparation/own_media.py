"""A small manifest with arrays and texts, which no extra is needed for."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

import numpy as np

from equimodal.preparation.arrays import Target


def write_arrays(folder: Path, count: int = 40, steps: bool = True) -> Path:
    """Write `count` samples of two arrays and a text each, and return their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    lines = ["id,label,split,group,touch,path,text"]
    for number in range(count):
        np.save(folder / f"touch{number}.npy", generator.normal(size=(5,)).astype(np.float32))
        np.save(folder / f"path{number}.npy", generator.normal(size=(2 + number % 4 if steps else 3, 3)))
        part = ("train", "train", "val", "test")[number % 4]
        path = "" if number % 5 == 0 else f"path{number}.npy"
        lines.append(f"s{number},{'ab'[number % 2]},{part},g{number},touch{number}.npy,{path},words of {number}")
    manifest = folder / "all.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def write_torn(folder: Path) -> Path:
    """Write 40 samples, three files of which cannot be read, and return their manifest."""
    manifest = write_arrays(folder)
    (folder / "touch3.npy").write_bytes(b"")
    (folder / "touch21.npy").write_bytes((folder / "touch1.npy").read_bytes()[:-7])
    (folder / "path22.npy").unlink()
    return manifest


def content(folder: Path) -> dict[str, bytes]:
    """Return what a prepared folder holds, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


class Deadly(Target):
    """A file that ends the process which writes a certain number, as a fault of a decoder would."""

    def write(self, start: int, block: np.ndarray) -> None:
        if (block == 666).any():
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(start, block)


class Stuck(type(Path())):
    """A file that a decoder hangs on: in C, with the interpreter's lock held, so that no thread of Python can run."""

    def is_file(self) -> bool:
        ctypes.PyDLL(None).sleep(600)
        return True
