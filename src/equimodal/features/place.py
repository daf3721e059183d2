"""The folder of a cache: where it is by default, how it is known to be one, and what lies in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from equimodal.errors import ConfigError, RunError
from equimodal.features.manifest import FORMAT
from equimodal.files import user_path, write_text

MARK = "equimodal-features.json"
"""A folder with this file is a cache of features, and one without it is not."""

_LOCKS = "locks"
_KEY = re.compile(r"[0-9a-f]{64}")


def default_place() -> Path:
    """Return the user's cache of features, for instance `~/.cache/equimodal/features` on Linux."""
    from platformdirs import user_cache_path

    return user_cache_path("equimodal") / "features"


def place_of(setting: str | Path | bool) -> Path:
    """Return the folder that `features.cache` stands for: the user's for True, or the one named."""
    return default_place() if setting is True else user_path(str(setting))


def is_cache(folder: Path) -> bool:
    """Return whether a folder is a cache of features."""
    return (folder / MARK).is_file()


def open_place(folder: Path) -> None:
    """Make a new cache, or check that the folder is one.

    Raises:
        ConfigError: it is a file, or a folder that holds something else.
        RunError: it cannot be written to.
    """
    if is_cache(folder):
        return
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"features.cache: expected a folder, but {folder} is a file. Name another.")
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        if is_cache(folder):  # another process made it just now
            return
        raise ConfigError(
            f"features.cache: {folder} is not empty, and not a cache of features. Name a new folder, or an empty one."
        )
    write_text(folder / MARK, json.dumps({"format": FORMAT}) + "\n", "start again")


def check_place(folder: Path) -> None:
    """Raise an error if a folder is not a cache.

    Raises:
        RunError: it is not.
    """
    if not is_cache(folder):
        state = "there is no such folder" if not folder.exists() else f"there is no {MARK} in it"
        raise RunError(f"{folder}: not a cache of features ({state}). Name the folder that features.cache names.")


def entries(folder: Path) -> Iterator[Path]:
    """Yield the folders of a cache that hold features of a column, by name."""
    for entry in sorted(folder.iterdir()):
        if _KEY.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            yield entry


def lock_of(entry: Path) -> Path:
    """Return the lock file of a column's features. It lies outside of their folder, which may be removed."""
    return entry.parent / _LOCKS / entry.name
