"""A training method as a configuration names it: the ways to write it, and its options, validated."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from equimodal.config.problems import problems_of
from equimodal.config.recipes import read_recipe, recipe_names
from equimodal.config.section import Section
from equimodal.config.yaml import merge, nest, split_assignments
from equimodal.errors import ConfigError, did_you_mean


class MethodSpec(Section):
    """A training method by name, with its options, validated, as far as they differ from the defaults.

    In YAML: a name, or a mapping with ``name`` and the options. On the command line and in lists also
    ``name:key=value,key=value``. The name may be a recipe's, which stands for that recipe's method.
    """

    name: str
    options: dict[str, Any] = {}
    label: str = ""

    def model_post_init(self, context: Any, /) -> None:
        """Label an unlabelled method by its name."""
        if not self.label:
            object.__setattr__(self, "label", self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the method as it is written in YAML, with all its options."""
        from equimodal.methods.base import METHODS  # imports torch

        label = {"label": self.label} if self.label != self.name else {}
        options = METHODS.get(self.name).Config.model_validate(self.options).model_dump(mode="json")
        return {"name": self.name, **label, **options}


def parse_method(value: Any, where: str = "method", default: str | None = None) -> MethodSpec:
    """Return the method that a name, a ``name:key=value`` string or a mapping stands for.

    Args:
        value: the method.
        where: the method's path in error messages.
        default: the method whose options a mapping without ``name`` holds; None: it must have one.

    Raises:
        ConfigError: the method is unknown, or one of its options is.

    Example:
        >>> parse_method("equilibrium:order=random,memory.in_steps=true").options
        {'order': 'random', 'memory': {'in_steps': True}}
    """
    from equimodal.methods.base import METHODS  # imports torch

    if isinstance(value, MethodSpec):
        value = {"name": value.name, "label": value.label, **value.options}
    if not isinstance(value, (str, Mapping)):
        raise ConfigError(_at(where, f"expected a name or a mapping, got {type(value).__name__}."))
    options = _as_mapping(value)
    name, label = options.pop("name", default), options.pop("label", value if isinstance(value, str) else None)
    if not isinstance(name, str):
        given = json.dumps(value, default=str)
        raise ConfigError(_at(where, f"expected a name, or a mapping with 'name', got {given}."))
    if not isinstance(label, (str, type(None))):
        raise ConfigError(_at(where, f"expected a text as 'label', got {label!r}. Put it in quotes."))
    if name not in METHODS.names() and name in recipe_names() and "method" in read_recipe(name):
        base = parse_method(read_recipe(name)["method"])
        label, name, options = label or name, base.name, merge(base.options, options)
    if name not in METHODS.names():
        known = [*METHODS.names(), *(r for r in recipe_names() if "method" in read_recipe(r))]
        raise ConfigError(f"Unknown method '{name}'.{did_you_mean(name, known)}")
    config = METHODS.get(name).Config
    try:
        checked = config.model_validate(options)
    except ValidationError as error:
        raise ConfigError(problems_of(error, config, where)) from error
    # As validated, so that '1e-1' and 0.1 are one option, and a default that is spelt out is none.
    return MethodSpec(name=name, options=checked.model_dump(mode="json", exclude_defaults=True), label=label or name)


def parse_methods(values: Sequence[Any]) -> list[MethodSpec]:
    """Return the methods of a comparison; see :func:`parse_method`.

    Raises:
        ConfigError: all mistakes, each with the number and the name of the method that it is in.
    """
    methods, problems = [], []
    for number, value in enumerate(values):
        try:
            methods.append(parse_method(value, where=""))
        except ConfigError as error:
            name = value.get("label") or value.get("name") if isinstance(value, Mapping) else value
            where = f"compare.methods.{number}" + (f" ({name})" if isinstance(name, str) else "")
            problems += [_at(where, problem) for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return methods


def merge_method(below: Any, over: Mapping[str, Any], default: str) -> dict[str, Any]:
    """Return the method ``below`` with the options of ``over``; under another name those are all that count.

    Args:
        below: a method in any form.
        over: options, with ``name`` or without.
        default: the method below that has no name.
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
