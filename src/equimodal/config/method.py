"""A training method as a configuration names it: the ways to write it, and its options."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from equimodal.config.names import Names
from equimodal.config.section import Section
from equimodal.config.yaml import merge, nest, split_assignments
from equimodal.errors import ConfigError, did_you_mean


class MethodSpec(Section):
    """A training method by name, with its options.

    In YAML: a name, or a mapping with `name` and the options, among them `fusion` and `fusion_options`. On the command
    line and in lists also `name:key=value,key=value`.

    Args:
        name: of the method.
        options: as they were given; once they are checked (see `Names`) all of them, defaults included.
        label: what tables and folders call it.
        fusion: the fusion to train; None: that of the model's settings, or the method's own.
        fusion_options: the fusion's arguments.
    """

    name: str
    options: dict[str, Any] = {}
    label: str = ""
    fusion: str | None = None
    fusion_options: dict[str, Any] = {}

    def model_post_init(self, context: Any, /) -> None:
        """Label an unlabelled method by its name."""
        if not self.label:
            object.__setattr__(self, "label", self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the method as it is written in YAML."""
        label = {"label": self.label} if self.label != self.name else {}
        return {"name": self.name, **label, **self.of_fusion(), **self.options}

    def of_fusion(self) -> dict[str, Any]:
        """Return what it says about the fusion, as it is written in YAML."""
        named = {} if self.fusion is None else {"fusion": self.fusion}
        return {**named, **({"fusion_options": self.fusion_options} if self.fusion_options else {})}


def parse_method(
    value: Any, where: str = "method", default: str | None = None, names: Names | None = None
) -> MethodSpec:
    """Return the method that a name, a `name:key=value` string or a mapping stands for.

    Args:
        value: the method.
        where: the method's path in error messages.
        default: the method whose options a mapping without `name` holds; None: it must have one.
        names: what there is; None: name and options are taken as they are.

    Raises:
        ConfigError: the form is wrong, the method is unknown, or one of its options is.

    Example:
        >>> parse_method("equilibrium:order=random,memory.encoders=false").options
        {'order': 'random', 'memory': {'encoders': False}}
    """
    if isinstance(value, MethodSpec):
        value = {"name": value.name, "label": value.label, **value.of_fusion(), **value.options}
    if not isinstance(value, (str, Mapping)):
        hint = " If it is a name, put it in quotes." if isinstance(value, (bool, int, float)) else ""
        raise ConfigError(_at(where, f"expected a name or a mapping, got {type(value).__name__}.{hint}"))
    options = _as_mapping(value)
    name, label = options.pop("name", default), options.pop("label", value if isinstance(value, str) else None)
    if not isinstance(name, str):
        given = json.dumps(value, default=str)
        raise ConfigError(_at(where, f"expected a name, or a mapping with 'name', got {given}."))
    if not isinstance(label, (str, type(None))):
        raise ConfigError(_at(where, f"expected a text as 'label', got {label!r}. Put it in quotes."))
    if keys := [key for key in options if not isinstance(key, str)]:
        raise ConfigError([_at(where, f"expected a text as the name of an option, got {key!r}.") for key in keys])
    fusion, fusion_options = _fusion(options, where)
    if names is not None:
        if name not in names.methods():
            raise ConfigError(f"Unknown method '{name}'.{did_you_mean(name, names.methods())}")
        options = names.options(name, options, where)
        if fusion is not None and fusion not in (known := names.fusions_of(name)):
            raise ConfigError(_at(where, f"{name} trains the fusions {', '.join(known)}, not '{fusion}'. Choose one."))
    return MethodSpec(name=name, options=options, label=label or name, fusion=fusion, fusion_options=fusion_options)


def _fusion(options: dict[str, Any], where: str) -> tuple[str | None, dict[str, Any]]:
    """Take what a method says about its fusion out of its options."""
    fusion, given = options.pop("fusion", None), options.pop("fusion_options", {})
    if not isinstance(fusion, (str, type(None))):
        raise ConfigError(_at(where, f"fusion: expected a name, got {fusion!r}."))
    if not isinstance(given, Mapping):
        raise ConfigError(_at(where, f"fusion_options: expected a mapping, got {given!r}."))
    return fusion, dict(given)


def parse_methods(values: Sequence[Any], names: Names | None = None) -> list[MethodSpec]:
    """Return the methods of a comparison; see `parse_method`.

    Raises:
        ConfigError: all mistakes, each with the number and the name of the method that it is in.
    """
    methods, problems = [], []
    for number, value in enumerate(values):
        try:
            methods.append(parse_method(value, where="", names=names))
        except ConfigError as error:
            name = value.get("label") or value.get("name") if isinstance(value, Mapping) else value
            where = f"compare.methods.{number}" + (f" ({name})" if isinstance(name, str) else "")
            problems += [_at(where, problem) for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return methods


def merge_method(below: Any, over: Mapping[str, Any], default: str) -> dict[str, Any]:
    """Return the method `below` with the options of `over`; another method takes none of the options `below`.

    Args:
        below: a method in any form.
        over: options, with `name` or without.
        default: name of the method `below` where it has none.
    """
    base = {"name": default, **(_as_mapping(below) if isinstance(below, (str, Mapping)) else {})}
    return merge(base, over) if over.get("name", base["name"]) == base["name"] else dict(over)


def _as_mapping(method: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(method, Mapping):
        return dict(method)
    name, _, tail = method.partition(":")
    items = re.split(r",(?![^\[{]*[\]}])", tail)  # commas within a list belong to its value
    return {"name": name, **(nest(split_assignments(items, f"method '{method}'")) if tail else {})}


def _at(where: str, problem: str) -> str:
    return f"{where}: {problem}" if where else problem
