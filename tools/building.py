"""What the scripts that rebuild the built-in data share: fetching a package, and writing the result."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from equimodal.data.archive import checksum, write_npz
from equimodal.data.catalogue import BuiltIn
from equimodal.errors import RunError

Arrays = dict[str, np.ndarray]


def fetch_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """Download a wheel from the Python package index, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True)
    return _verified(next(folder.glob("*.whl")), sha256)


def fetch_npm(package: str, sha256: str, folder: Path) -> Path:
    """Download a package from the npm registry."""
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return _verified(next(folder.glob("*.tgz")), sha256)


def build(data_set: type[BuiltIn], derive: Callable[[Path], Arrays]) -> None:
    """Derive the arrays in an empty folder, compare them with what is shipped, and write them if asked to.

    Exits with 1 when the result is not what the package expects, or cannot be written.
    """
    parser = argparse.ArgumentParser(description=f"Rebuild {data_set.title} from its packages.")
    parser.add_argument("--write", action="store_true", help="replace the file in src; without it, only compare")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        arrays = derive(Path(folder))
    for name, array in arrays.items():
        print(f"{name:20} {array.dtype!s:10} {array.shape}")
    if write:
        try:
            write_npz(data_set.path(), arrays)
        except RunError as error:
            sys.exit(str(error))
        print(f"wrote {data_set.path().name}, {data_set.path().stat().st_size / 1e6:.2f} MB")
    found = checksum(arrays)
    if found != data_set.checksum:
        sys.exit(f"Checksum {found}, but the package expects {data_set.checksum}.")
    print("as shipped")


def _verified(path: Path, sha256: str) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{path.name}: sha256 {found}, expected {sha256}.")
    return path
