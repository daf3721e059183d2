"""What pydantic found wrong, in our words: one message per mistake, with the key's path and the nearest names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError

from equimodal.config.annotations import below, is_model, members
from equimodal.errors import ConfigError, did_you_mean, nearest

Keys = tuple[str | int, ...]


class _Place(NamedTuple):
    """Where a mistake is.

    Args:
        path: the keys that lead there.
        union: the keys that lead to the union on the way, if there is one.
        around: what is expected one key above.
        expected: what is expected there.
    """

    path: Keys
    union: Keys | None
    around: list[Any]
    expected: list[Any]


def problems_of(error: ValidationError, expected: Any, prefix: str = "") -> list[str]:
    """Return a message for each mistake.

    A value that fits no member of a union is one mistake, though pydantic reports one for each member. The messages of
    a `ConfigError` that a validator raised are taken as they are; they hold the key's path already.

    Args:
        error: what pydantic raised.
        expected: the model, or another annotation, that was validated.
        prefix: its own path.

    Example:
        >>> from pydantic import BaseModel
        >>> class Options(BaseModel):
        ...     order: Literal["random", "fixed"] | list[str] = "fixed"
        >>> try:
        ...     Options(order="randm")
        ... except ValidationError as error:
        ...     print(*problems_of(error, Options))
        order: input should be 'random' or 'fixed', or a valid list, got 'randm'. Did you mean 'random'?
    """
    found = [(_locate(expected, item["loc"]), item) for item in error.errors(include_url=False)]
    deepest: dict[Keys, int] = {}
    for place, _ in found:
        if place.union is not None:
            deepest[place.union] = max(len(place.path), deepest.get(place.union, 0))
    grouped: dict[Keys, list[tuple[_Place, Any]]] = {}
    for place, item in found:
        # The member of the union that fits to the deepest key is the one that was meant.
        if place.union is None or len(place.path) == deepest[place.union]:
            grouped.setdefault(place.path, []).append((place, item))
    messages: list[str] = []
    for path, found_here in grouped.items():
        where = ".".join(map(str, (*([prefix] if prefix else []), *path)))
        messages += _messages(where, *zip(*found_here, strict=True))
    return messages


def problems_raised(check: Callable[[Any], None], value: Any, prefix: str) -> list[str]:
    """Return the messages of a check that raises a `ConfigError`, each after the prefix; none if it passes."""
    try:
        check(value)
    except ConfigError as error:
        return [f"{prefix}{problem}" for problem in error.problems]
    return []


def _messages(path: str, places: Sequence[_Place], items: Sequence[Mapping[str, Any]]) -> list[str]:
    item, place = items[0], places[0]
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return list(cause.problems)
    if item["type"] == "extra_forbidden":
        known = [name for one in place.around if is_model(one) for name in one.model_fields]
        return [f"Unknown key '{path}'.{did_you_mean(str(place.path[-1]), known)}"]
    if item["type"] == "value_error":
        return [f"{path or 'configuration'}: {cause or item['msg']}."]
    first, *others = dict.fromkeys(each["msg"] for each in items)
    wanted = ", or ".join([first[0].lower() + first[1:], *(other.removeprefix("Input should be ") for other in others)])
    words = [str(word) for one in place.expected if get_origin(one) is Literal for word in get_args(one)]
    given = item["input"]
    hint = nearest(given, words) if isinstance(given, str) else ""
    if isinstance(given, (bool, int, float)) and any(each["type"] == "string_type" for each in items):
        hint = " If it is a name, put it in quotes."
    return [f"{path}: {wanted}, got {given!r}.{hint}"]


def _locate(expected: Any, location: Keys) -> _Place:
    """Follow pydantic's location, without what is not a key in it: the members of unions that it tried, and "[key]"."""
    path: list[str | int] = []
    union, named = None, False
    around: list[Any] = []
    here = members(expected)
    for part in location[:-1] if location[-1:] == ("[key]",) else location:
        if len(here) > 1 and not named:
            union, named = tuple(path) if union is None else union, True
            continue
        path.append(part)
        around, here = here, [member for one in here for member in members(below(one, part))]
        named = False
    return _Place(tuple(path), union, around, here)
