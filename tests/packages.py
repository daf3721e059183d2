"""Packages that an interpreter takes for installed."""

from __future__ import annotations

import textwrap
from pathlib import Path


def install(folder: Path, name: str, code: str, entry_points: str) -> None:
    """Put a module of its own package where an interpreter that has `folder` on its path takes it for installed.

    Args:
        folder: an entry of the path.
        name: of the package and its one module.
        code: of the module.
        entry_points: what the package's `entry_points.txt` says.
    """
    (folder / f"{name}.py").write_text(textwrap.dedent(code))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
