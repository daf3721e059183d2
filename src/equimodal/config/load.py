"""Where a configuration comes from: a recipe, a method's name or a YAML file, and the settings that change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equimodal.config.method import merge_method
from equimodal.config.names import Names
from equimodal.config.paths import encoders_from_folder, from_folder
from equimodal.config.recipes import read_recipe, recipe_names
from equimodal.config.run import DEFAULT_METHOD, RunConfig, build_config
from equimodal.config.yaml import merge, nest, read_yaml_file, split_assignments
from equimodal.errors import ConfigError, did_you_mean


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
    over = encoders_from_folder(nest(split_assignments(overrides, "-s")), Path.cwd())
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
        return from_folder(content, path.parent.resolve(), names)
    name = str(source)
    if name in recipe_names():
        return {key: value for key, value in read_recipe(name).items() if key != "about"}
    if names is None or name.partition(":")[0] in names.methods():
        return {"method": name}
    raise ConfigError(f"Unknown recipe or method '{name}'.{did_you_mean(name, {*recipe_names(), *names.methods()})}")
