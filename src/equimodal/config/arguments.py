"""Options that go to a constructor, checked against its annotations before it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from equimodal.config.annotations import members
from equimodal.config.problems import problems_of
from equimodal.config.section import mark_booleans
from equimodal.errors import ConfigError, did_you_mean

_PLAIN = (int, float, bool, str)


def check_arguments(
    function: Callable[..., Any], given: Mapping[str, Any], where: str, what: str, fixed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the arguments as the function takes them: words that stand for numbers are numbers.

    Args:
        function: a class or a function. Arguments annotated with plain values (numbers, texts, booleans, lists and
            mappings of them) are checked; others are taken as they are.
        given: by name.
        where: the arguments' path in messages.
        what: what is made with them, for messages.
        fixed: arguments of the function that are not options.

    Raises:
        ConfigError: a name is not an argument, or a value is not what its annotation says; all mistakes together.

    Example:
        >>> def encoder(hidden: int = 64, rates: list[float] | None = None): ...
        >>> check_arguments(encoder, {"hidden": "32", "rates": [1, 0.5]}, "model.encoders.a", "encoder 'mine'")
        {'hidden': 32, 'rates': [1, 0.5]}
    """
    parameters = inspect.signature(function).parameters
    known = [name for name in parameters if name not in fixed]
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = _hints(function)
    checked, problems = dict(given), []
    for name, value in given.items():
        if name not in known:
            if not anything:
                problems.append(f"{where}: {what} has no option '{name}'.{did_you_mean(name, known)}")
            continue
        expected = members(hints.get(name, Any))
        if not expected or not all(map(_is_plain, expected)):
            continue
        try:
            adapter = TypeAdapter(hints[name], config=ConfigDict(allow_inf_nan=False))
            found = adapter.validate_python(mark_booleans(value, expected))
        except ValidationError as error:
            problems += problems_of(error, hints[name], f"{where}.{name}")
            continue
        checked[name] = found if isinstance(value, str) else value
    if problems:
        raise ConfigError(problems)
    return checked


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function.__init__ if isinstance(function, type) else function)
    except Exception:  # noqa: BLE001 - annotations of another package may name anything
        return {}


def _is_plain(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple, dict):
        return all(_is_plain(one) for part in get_args(annotation) if part is not Ellipsis for one in members(part))
    return annotation in _PLAIN
