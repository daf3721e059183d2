"""Reading and writing YAML, from files and from `key=value` words, with errors that say where and what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from equimodal.errors import ConfigError

_PLAIN = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?=[eE])))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
)
"""Words without quotes that are not text: those of YAML 1.2, but for numbers with leading zeros."""


class _Loader(yaml.SafeLoader):
    """Plain values only, and what is written is what is read.

    PyYAML follows YAML 1.1: it reads `no` as false, `010` as 8, `1:30` as 90, and of two equal keys takes the last,
    without a word. Here those are text, a key is always text, and a key that is there twice is an error.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:merge"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return the next mapping, once its keys are known to differ."""
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in lines:
                problem = f"the key '{key.value}' is there already, at line {lines[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[key.value] = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes every text that this reader, or one of YAML 1.1, would take for something else."""


for _name, _pattern, _first in _PLAIN:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), _first)


class _WordLoader(_Loader):
    """Every scalar is text as it is written: a class may be called `true`, `7` or `1e3`. Only null is null."""

    yaml_implicit_resolvers = {
        first: [entry for entry in resolvers if entry[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, resolvers in _Loader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str, where: str, *, words: bool = False) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Args:
        text: the YAML. Only `true` and `false` are booleans, only numbers without leading zeros are numbers, and every
            key is text as it is written.
        where: what it is, for messages.
        words: read every scalar except null as text.

    Raises:
        ConfigError: it is not valid YAML, holds a key twice, or is not a mapping.

    Example:
        >>> read_yaml("{classes: [no, 007], rate: 1e-3, on: true}", "example")
        {'classes': ['no', '007'], 'rate': 0.001, 'on': True}
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
    """Return the mapping that a YAML file holds; see `read_yaml`.

    Raises:
        ConfigError: the file cannot be read, is not valid YAML, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from error
    return read_yaml(text, str(path), words=words)


def write_yaml(content: Mapping[str, Any]) -> str:
    """Return plain values as YAML, which `read_yaml` reads to the same values.

    Example:
        >>> print(write_yaml({"name": "1e-3", "rate": 1e-3, "answer": "no"}), end="")
        name: '1e-3'
        rate: 0.001
        answer: 'no'
    """
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def split_assignments(items: Iterable[str], where: str) -> dict[str, Any]:
    """Return {dotted key: value} of `key=value` strings; values are read as YAML.

    Raises:
        ConfigError: an item has no "=", or its value is not valid YAML; all of them together.
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
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`.

    Raises:
        ConfigError: a key is given a value and keys below it.
    """
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


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over` in place of its own, mappings key by key.

    Example:
        >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
        {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged
