"""Files that somebody else may be writing or removing: read as far as they can be, and only where they have changed."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import read_yaml_file
from equimodal.errors import EquimodalError
from equimodal.training.history import history_so_far


class Version(NamedTuple):
    """Which version of a file was there: what is known of it holds for as long as this is the same.

    Args:
        path: of the file.
        changed: when it was last written, in nanoseconds since 1970.
        size: in bytes.
    """

    path: Path
    changed: int
    size: int


def version(path: Path) -> Version | None:
    """Return which version of a file is there; None: no file, or not a regular one (a link may lead anywhere)."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return Version(path, found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None


def read_bytes(path: Path) -> bytes | None:
    """Return the content of a regular file; None where there is none that can be read."""
    try:
        return None if version(path) is None else path.read_bytes()
    except OSError:
        return None


def read_config_of(path: Path) -> RunConfig | None:
    """Return the configuration that `config.yaml` or `compare.yaml` holds; None where it cannot be read."""
    known = version(path)
    return None if known is None else _config(known)


@lru_cache(4096)
def _config(file: Version) -> RunConfig | None:
    try:
        content = read_yaml_file(file.path)
        content.pop("provenance", None)
        return build_config(content)
    except (EquimodalError, OSError):
        return None


def read_json(path: Path) -> Mapping[str, Any] | None:
    """Return the object that a JSON file holds; None where it is missing, cut short, or holds something else."""
    known = version(path)
    return None if known is None else _json(known)


@lru_cache(64)  # they may be large
def _json(file: Version) -> Mapping[str, Any] | None:
    try:
        content = json.loads(file.path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a history that are whole, trials left out."""
    if version(path) is None:
        return []
    return [line for line in history_so_far(path) if not line.get("trial", False)]


def item(content: Any, *keys: str) -> Any:
    """Return what nested mappings hold under some keys; None where one of them is not there.

    Example:
        >>> item({"test": {"accuracy": 0.5}}, "test", "accuracy"), item({"test": 3}, "test", "accuracy")
        (0.5, None)
    """
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def number_at(content: Any, *keys: str) -> float | None:
    """Return the number that nested mappings hold under some keys; None where there is none.

    Example:
        >>> number_at({"a": {"b": 1}}, "a", "b"), number_at({"a": "much"}, "a")
        (1.0, None)
    """
    found = item(content, *keys)
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None
