"""The card of a data set (`README.md`): the YAML at its beginning says which files there are and what columns hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equimodal.config.yaml import read_yaml
from equimodal.errors import DataError
from equimodal.preparation.tables import text_of

CARD = "README.md"
DEFAULT = "default"


@dataclass(frozen=True)
class Card:
    """What a card says.

    Args:
        files: by configuration and split, patterns of paths; empty where the names of the files say it.
        first: the configuration that is taken where nothing is said; None: none is.
        features: by configuration and column, in the form of the library `datasets`; only media and classes.
        counts: by configuration and split, how many rows there are.
    """

    files: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    first: str | None = None
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def has_card(folder: Path) -> bool:
    """Return whether there is a file that begins as a card does."""
    try:
        with (folder / CARD).open("rb") as file:
            return file.readline(8).strip() == b"---"
    except OSError:
        return False


def read_card(folder: Path) -> Card:
    """Return what the card of a data set says; nothing where there is none.

    Raises:
        DataError: what it says of files is in no known form.
        ConfigError: it holds no YAML.
    """
    path = folder / CARD
    lines = text_of(path).splitlines() if path.is_file() else []
    if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        return Card()
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    content = read_yaml("\n".join(lines[1:end]), str(path), words=True)
    configs = [each for each in _listed(content.get("configs")) if isinstance(each, dict) and "data_files" in each]
    names = [str(each.get("config_name", DEFAULT)) for each in configs]
    marked = [name for name, each in zip(names, configs, strict=True) if each.get("default") == "true"]
    first = marked[0] if marked else DEFAULT if DEFAULT in names else names[0] if len(names) == 1 else None
    infos = {
        str(each.get("config_name", DEFAULT)): each
        for each in _listed(content.get("dataset_info"))
        if isinstance(each, dict)
    }
    return Card(
        {name: _patterns(each, path) for name, each in zip(names, configs, strict=True)},
        first,
        {name: _features(each) for name, each in infos.items()},
        {name: _counts(each) for name, each in infos.items()},
    )


def _patterns(config: Mapping[str, Any], path: Path) -> dict[str, list[str]]:
    """Return a configuration's patterns by split: one of the forms that the hub documents."""
    given = config["data_files"]
    if isinstance(given, Mapping):
        found = {str(split): _listed(paths) for split, paths in given.items()}
    elif all(isinstance(each, Mapping) and {"split", "path"} <= set(each) for each in _listed(given)):
        found = {str(each["split"]): _listed(each["path"]) for each in _listed(given)}
    else:
        found = {"train": _listed(given)}
    folder = str(config.get("data_dir") or "")
    patterns = [each for paths in found.values() for each in paths]
    if not all(isinstance(each, str) and each for each in patterns) or not patterns:
        raise DataError(f"{path}: 'data_files' names no files by split. Expected entries of 'split' and 'path'.")
    return {split: [f"{folder}/{each}" if folder else each for each in paths] for split, paths in found.items()}


def _features(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return those features that the types of the columns do not tell."""
    found: dict[str, Any] = {}
    for each in _listed(info.get("features")):
        if not isinstance(each, Mapping) or "name" not in each:
            continue
        dtype = each.get("dtype")
        kind = next(iter(dtype), "") if isinstance(dtype, Mapping) else str(dtype or "")
        if kind in ("image", "audio", "video"):
            found[str(each["name"])] = {"_type": kind.capitalize()}
        elif kind == "class_label" and isinstance(dtype, Mapping) and isinstance(dtype[kind], Mapping):
            names = dtype[kind].get("names") or []
            if isinstance(names, Mapping):
                names = [names[key] for key in sorted(names, key=lambda key: int(key) if key.isdigit() else -1)]
            found[str(each["name"])] = {"_type": "ClassLabel", "names": [str(name) for name in names]}
    return found


def _counts(info: Mapping[str, Any]) -> dict[str, int]:
    splits = [each for each in _listed(info.get("splits")) if isinstance(each, Mapping)]
    return {
        str(each.get("name")): int(float(count))
        for each in splits
        if (count := str(each.get("num_examples", ""))).replace(".", "", 1).isdigit()
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
