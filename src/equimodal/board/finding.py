"""What a folder holds: runs, comparisons, studies and analyses, at any depth up to a limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equimodal.comparison.comparison import FILE as COMPARISON
from equimodal.comparison.folder import FILE as COMPARE
from equimodal.comparison.study import FILE as STUDY
from equimodal.comparison.study import RECIPE as STUDY_RECIPE
from equimodal.locks import FILE as LOCK
from equimodal.training.folder import FILE as CONFIG
from equimodal.training.run import METRICS

Kind = Literal["run", "comparison", "study", "analysis"]
DEEPEST = 8
"""Folders below the one that is shown. A run in a setting of a study has its reference at the fifth."""
MOST_FOLDERS = 20_000
"""Folders that are looked into; what lies beyond is not listed, and the page says so."""
_ANALYSIS, _ANALYSIS_RECIPE = "analysis.json", "-analysis.yaml"


@dataclass(frozen=True)
class Found:
    """Something that has a page.

    Args:
        kind: what it is.
        folder: where it is.
        place: its path in the folder that is shown, with slashes; empty for that folder itself.
    """

    kind: Kind
    folder: Path
    place: str


def inside(root: Path, place: str) -> Path | None:
    """Return the folder that an address names; None for everything that is not below `root`.

    Args:
        root: the folder that is shown, resolved.
        place: names with slashes between them; empty: `root` itself.

    Example:
        >>> inside(Path("/"), "../etc"), inside(Path("/"), "/etc"), inside(Path("/usr"), "")
        (None, None, PosixPath('/usr'))
    """
    names = place.split("/") if place else []
    if any(name in ("", ".", "..") or "\\" in name or "\0" in name for name in names):
        return None
    try:
        folder = root.joinpath(*names).resolve()  # the target of a link, and of a link on the way there
    except (OSError, RuntimeError):
        return None
    return folder if folder.is_relative_to(root) else None


def find(root: Path, place: str = "") -> tuple[list[Found], bool]:
    """Return what a folder holds and is, by path, and whether all of it was looked at.

    Links to folders are not followed, and hidden folders not entered.

    Args:
        root: the folder that is shown, resolved.
        place: where to look in it.
    """
    found: list[Found] = []
    top = root / place if place else root
    for looked, (folder, files) in enumerate(_walk(top, DEEPEST), start=1):
        if looked > MOST_FOLDERS:
            return sorted(found, key=lambda each: each.place), False
        if (kind := kind_of(files)) is not None:
            found.append(Found(kind, folder, "/".join(folder.relative_to(root).parts)))
    return sorted(found, key=lambda each: each.place), True


def look(root: Path, place: str) -> Found | None:
    """Return what the folder at a place is; None where there is nothing that has a page."""
    folder = inside(root, place)
    if folder is None:
        return None
    kind: Kind | None = None
    for _, files in _walk(folder, 0):
        kind = kind_of(files)
    return None if kind is None else Found(kind, folder, place)


def kind_of(files: set[str]) -> Kind | None:
    """Return what a folder is, from the names of its files.

    Example:
        >>> kind_of({"config.yaml", ".lock"}), kind_of({"config.yaml", "main.py"})
        ('run', None)
        >>> kind_of({"compare.yaml", ".lock", "error_analysis.json"}), kind_of({"compare.yaml", "main.py"})
        ('comparison', None)
    """
    started = LOCK in files  # a recipe without it may be the user's own
    if _ANALYSIS in files or (started and any(name.endswith(_ANALYSIS_RECIPE) for name in files)):
        return "analysis"
    if STUDY in files or (started and STUDY_RECIPE in files):
        return "study"
    if COMPARISON in files or (started and COMPARE in files):
        return "comparison"
    if CONFIG in files and (started or files & {"history.jsonl", METRICS}):
        return "run"
    return None


def _walk(folder: Path, deeper: int) -> Iterator[tuple[Path, set[str]]]:
    """Yield a folder and those in it, each with the names of its files; one that vanishes is left out."""
    files, folders = set(), []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.add(entry.name)
    except OSError:
        return
    yield folder, files
    for name in sorted(folders) if deeper else ():
        if not name.startswith(".") and name != "checkpoint":
            yield from _walk(folder / name, deeper - 1)
