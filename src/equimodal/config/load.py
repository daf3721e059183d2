"""Where a configuration comes from: a recipe, a method's name or a YAML file, and the settings that change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equimodal.config.method import merge_method
from equimodal.config.names import Names
from equimodal.config.recipes import read_recipe, recipe_names
from equimodal.config.run import DEFAULT_METHOD, RunConfig, build_config
from equimodal.config.yaml import merge, nest, read_yaml_file, split_assignments
from equimodal.errors import ConfigError, did_you_mean

PATH_SUFFIXES = (".npz", ".yaml", ".yml")


def load_config(
    source: str | Path | None,
    overrides: Sequence[str] = (),
    content: Mapping[str, Any] | None = None,
    names: Names | None = None,
) -> RunConfig:
    """Return the configuration of a recipe, a method's name or a YAML file, with overrides.

    A relative path of data, weights, a pretrained model or `features.cache` in a YAML file is seen from that file's
    folder; everywhere else from the current folder. A run's own `config.yaml` is such a file: it repeats the run.

    Args:
        source: a recipe's name, a method's name, or the path of a YAML file; None: the defaults.
        overrides: `key=value` with dotted keys; values are read as YAML.
        content: more settings, nested; they replace those of the source, and overrides replace them.
        names: see `build_config`.

    Raises:
        ConfigError: all mistakes, together.

    Example:
        >>> load_config("paper", ["training.epochs=5"]).training.epochs
        5
    """
    base = merge_configs(_read_source(source, names), content or {})
    over = _locate_weights(nest(split_assignments(overrides, "-s")), Path.cwd())
    return build_config(merge_configs(base, over), names)


def merge_configs(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the settings of `over` in place of its own, key by key; options stay with their method."""
    merged = merge(base, over)
    if isinstance(over.get("method"), Mapping):
        merged["method"] = merge_method(base.get("method"), over["method"], DEFAULT_METHOD)
    return merged


def _read_source(source: str | Path | None, names: Names | None) -> dict[str, Any]:
    if source is None:
        return {}
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file. Give a YAML file, a recipe or a method's name.")
        content = read_yaml_file(path)
        content.pop("provenance", None)  # what a run, a comparison or a study was made of: nothing to set
        return _locate_weights(_locate_data(content, path.parent.resolve(), names), path.parent.resolve())
    name = str(source)
    if name in recipe_names():
        return {key: value for key, value in read_recipe(name).items() if key != "about"}
    if names is None or name.partition(":")[0] in names.methods():
        return {"method": name}
    raise ConfigError(f"Unknown recipe or method '{name}'.{did_you_mean(name, {*recipe_names(), *names.methods()})}")


def _locate_data(content: dict[str, Any], folder: Path, names: Names | None) -> dict[str, Any]:
    """Return the content of a YAML file, its relative paths of data and of a cache seen from its folder."""

    def located(section: Any) -> Any:
        if not isinstance(section, Mapping) or not _is_path(section.get("name"), folder, names):
            return section
        return {**section, "name": str(folder / section["name"])}

    found = dict(content)
    if "data" in found:
        found["data"] = located(found["data"])
    features = found.get("features")
    if isinstance(features, Mapping) and isinstance(cache := features.get("cache"), str) and cache.strip():
        found["features"] = {**features, "cache": str(folder / Path(cache).expanduser())}
    compare = found.get("compare")
    if isinstance(compare, Mapping) and isinstance(compare.get("settings"), list):
        settings = [
            {"label": setting, "data": {"name": setting}} if _is_path(setting, folder, names) else setting
            for setting in compare["settings"]
        ]
        settings = [
            {**s, "data": located(s["data"])} if isinstance(s, Mapping) and "data" in s else s for s in settings
        ]
        found["compare"] = {**compare, "settings": settings}
    return found


def _locate_weights(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings in which an encoder's `weights` and `model` are seen from a folder, where they are there."""

    def located(encoder: Any) -> Any:
        if not isinstance(encoder, Mapping):
            return encoder
        found = dict(encoder)
        for key in ("weights", "model"):
            path = found.get(key)
            if isinstance(path, str) and path and (here := folder / Path(path).expanduser()).exists():
                found[key] = str(here)  # a class of the user's may call something else so: that is not there
        return found

    def all_located(section: Mapping[str, Any]) -> dict[str, Any]:
        encoders = section.get("encoders")
        if not isinstance(encoders, Mapping):
            return dict(section)
        return {**section, "encoders": {name: located(encoder) for name, encoder in encoders.items()}}

    found = dict(content)
    model = found.get("model")
    if isinstance(model, Mapping):
        found["model"] = all_located(model)
    compare = found.get("compare")
    if isinstance(compare, Mapping) and isinstance(compare.get("settings"), list):
        settings = [_locate_weights(s, folder) if isinstance(s, Mapping) else s for s in compare["settings"]]
        compare = found["compare"] = {**compare, "settings": settings}
    if isinstance(compare, Mapping) and isinstance(compare.get("encoders"), list):
        arms = [all_located(arm) if isinstance(arm, Mapping) else arm for arm in compare["encoders"]]
        found["compare"] = {**compare, "encoders": arms}
    return found


def _is_path(name: Any, folder: Path, names: Names | None) -> bool:
    """Return whether the name of data is a path: it looks like one, or no data set but a file here is called so."""
    if not isinstance(name, str) or not name:
        return False
    if "/" in name or "\\" in name or Path(name).suffix in PATH_SUFFIXES:
        return True
    return names is not None and name not in names.data_sets() and (folder / name).exists()
