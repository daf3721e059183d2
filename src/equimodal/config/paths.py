"""Relative paths in a configuration, seen from the folder of the file that it was read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from equimodal.config.names import Names
from equimodal.config.yaml import nest
from equimodal.files import user_path

PATH_SUFFIXES = (".npz", ".yaml", ".yml")

_Change = Callable[[Mapping[str, Any]], dict[str, Any]]


def from_folder(content: Mapping[str, Any], folder: Path, names: Names | None) -> dict[str, Any]:
    """Return the content of a YAML file, its relative paths seen from the file's folder.

    Paths are those of data, of a cache of features, and an encoder's `weights` and `model`; also in the settings, sets
    of encoders and candidates of a comparison.
    """

    def change(sections: Mapping[str, Any]) -> dict[str, Any]:
        return _with_encoders(_with_cache(_with_data(sections, folder, names), folder), folder)

    return _everywhere(content, change)


def encoders_from_folder(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings in which an encoder's `weights` and `model` are seen from a folder."""
    return _everywhere(content, lambda sections: _with_encoders(sections, folder))


def _everywhere(content: Mapping[str, Any], change: _Change) -> dict[str, Any]:
    """Return settings after a change of their sections, and of what `compare` would put in the place of these."""

    def changed(key: str, value: Any) -> Any:
        found: Any = change(nest({key: value}))
        for part in key.split("."):
            found = found[part]
        return found

    found = change(content)
    if not isinstance(found.get("compare"), Mapping):
        return found
    compare = found["compare"] = dict(found["compare"])
    if isinstance(settings := compare.get("settings"), list):
        spelt_out = [{"label": s, "data": {"name": s}} if isinstance(s, str) else s for s in settings]
        compare["settings"] = [change(s) if isinstance(s, Mapping) else s for s in spelt_out]
    if isinstance(arms := compare.get("encoders"), list):
        compare["encoders"] = [
            {**arm, "encoders": changed("model.encoders", arm["encoders"])}
            if isinstance(arm, Mapping) and "encoders" in arm
            else arm
            for arm in arms
        ]
    tune = compare.get("tune")
    if isinstance(tune, Mapping) and isinstance(grid := tune.get("grid"), Mapping):
        tried = {
            key: [changed(key, value) for value in values] if isinstance(values, list) else values
            for key, values in grid.items()
        }
        compare["tune"] = {**tune, "grid": tried}
    return found


def _with_data(sections: Mapping[str, Any], folder: Path, names: Names | None) -> dict[str, Any]:
    data = sections.get("data")
    if not isinstance(data, Mapping) or not _is_path(data.get("name"), folder, names):
        return dict(sections)
    return {**sections, "data": {**data, "name": _seen_from(folder, data["name"])}}


def _with_cache(sections: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    features = sections.get("features")
    cache = features.get("cache") if isinstance(features, Mapping) else None
    if not isinstance(features, Mapping) or not isinstance(cache, str) or not cache.strip():
        return dict(sections)
    return {**sections, "features": {**features, "cache": _seen_from(folder, cache)}}


def _with_encoders(sections: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    model = sections.get("model")
    encoders = model.get("encoders") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not isinstance(encoders, Mapping):
        return dict(sections)
    located = {name: _encoder(given, folder) for name, given in encoders.items()}
    return {**sections, "model": {**model, "encoders": located}}


def _encoder(given: Any, folder: Path) -> Any:
    if not isinstance(given, Mapping):
        return given
    found = dict(given)
    for key in ("weights", "model"):
        path = found.get(key)
        if isinstance(path, str) and path and Path(here := _seen_from(folder, path)).exists():
            found[key] = here  # a class of the user's may call something else so: that is not there
    return found


def _seen_from(folder: Path, path: str) -> str:
    return str(folder / user_path(path))


def _is_path(name: Any, folder: Path, names: Names | None) -> bool:
    """Return whether the name of data is a path: it looks like one, or no data set but a file here is called so."""
    if not isinstance(name, str) or not name:
        return False
    if "/" in name or "\\" in name or Path(name).suffix in PATH_SUFFIXES:
        return True
    return names is not None and name not in names.data_sets() and (folder / name).exists()
