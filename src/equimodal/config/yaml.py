"""Reading YAML, from files and from ``key=value`` words, with errors that say where and what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from equimodal.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """Plain values only, as in ``yaml.safe_load``, and no key twice in a mapping, where the last would silently win."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return the mapping that comes next, once its keys are known to differ."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                written = (key.tag, key.value)
                if written in lines:
                    problem = f"the key '{key.value}' is there already, at line {lines[written]}"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                lines[written] = key.start_mark.line + 1
        return node


class _WordLoader(_Loader):
    """Every scalar is text as it is written: a class may be called `no`, `on`, `007` or `1e3`. Only null is null."""

    yaml_implicit_resolvers = {
        first: [entry for entry in resolvers if entry[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, resolvers in _Loader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str, where: str, *, words: bool = False) -> dict[str, Any]:
    """Return the mapping that a YAML text holds; with `words`, every scalar but null as text.

    Raises:
        ConfigError: it is no YAML, holds a key twice, or is no mapping.
    """
    try:
        content = yaml.load(text, _WordLoader if words else _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{where}: not valid YAML{place}: {getattr(error, 'problem', error)}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected a mapping (key: value lines), got {type(content).__name__}.")
    return content


def read_yaml_file(path: Path, *, words: bool = False) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigError: it cannot be read, is no YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from error
    return read_yaml(text, str(path), words=words)


def split_assignments(items: Iterable[str], where: str) -> dict[str, Any]:
    """Return {dotted key: value} of ``key=value`` strings; values are read as YAML.

    Raises:
        ConfigError: an item has no "=" or its value is no YAML; all of them together.
    """
    values: dict[str, Any] = {}
    problems = []
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key:
            problems.append(f"{where}: expected key=value, got '{item}'.")
            continue
        try:
            values[key.strip()] = yaml.load(text, _Loader)
        except yaml.YAMLError:
            problems.append(f"{where}: the value of '{key}' is not valid YAML: '{text}'.")
    if problems:
        raise ConfigError(problems)
    return values


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = nested
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ConfigError(f"'{key}': '{part}' is given a value and keys at once. Give one of them.")
        if isinstance(node.get(last), dict):
            raise ConfigError(f"'{key}': it is given a value and keys at once. Give one of them.")
        node[last] = value
    return nested


def lay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on it, mappings key by key.

    Example:
        >>> lay({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
        {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = lay(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged
