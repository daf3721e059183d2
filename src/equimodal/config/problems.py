"""What pydantic found wrong, in our words: one message a mistake, with the key's path and near names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from equimodal.errors import ConfigError, did_you_mean, nearest

Keys = tuple[str | int, ...]


class _Place(NamedTuple):
    """Where a mistake is.

    Args:
        path: the keys that lead there.
        union: those that lead to the union on the way, if there is one.
        around: what is expected one key further up.
        expected: what is expected there.
    """

    path: Keys
    union: Keys | None
    around: list[Any]
    expected: list[Any]


def problems_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return a message for each mistake.

    A value that fits no member of a union is one mistake, though pydantic reports it once a member. A validator
    that raises a :class:`ConfigError` has said all there is to say, the key's path included.

    Args:
        error: what pydantic raised.
        model: the model that was validated.
        prefix: path of the model itself.

    Example:
        >>> class Options(BaseModel):
        ...     order: Literal["random", "fixed"] | list[str] = "fixed"
        >>> try:
        ...     Options(order="randm")
        ... except ValidationError as error:
        ...     print(*problems_of(error, Options))
        order: input should be 'random' or 'fixed', or a valid list, got 'randm'. Did you mean 'random'?
    """
    found = [(_locate(model, item["loc"]), item) for item in error.errors(include_url=False)]
    deepest: dict[Keys, int] = {}
    for place, _ in found:
        if place.union is not None:
            deepest[place.union] = max(len(place.path), deepest.get(place.union, 0))
    grouped: dict[Keys, list[tuple[_Place, Any]]] = {}
    for place, item in found:
        # The member that was got into farthest is the one that was meant.
        if place.union is None or len(place.path) == deepest[place.union]:
            grouped.setdefault(place.path, []).append((place, item))
    messages: list[str] = []
    for path, members in grouped.items():
        messages += _messages(".".join(map(str, (*([prefix] if prefix else []), *path))), *zip(*members, strict=True))
    return messages


def _messages(path: str, places: Sequence[_Place], items: Sequence[Mapping[str, Any]]) -> list[str]:
    item, place = items[0], places[0]
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return list(cause.problems)
    if item["type"] == "extra_forbidden":
        known = [name for one in place.around if _is_model(one) for name in one.model_fields]
        return [f"Unknown key '{path}'.{did_you_mean(str(place.path[-1]), known)}"]
    if item["type"] == "value_error":
        return [f"{path or 'configuration'}: {cause or item['msg']}."]
    first, *others = dict.fromkeys(each["msg"] for each in items)
    wanted = ", or ".join([first[0].lower() + first[1:], *(other.removeprefix("Input should be ") for other in others)])
    words = [str(word) for one in place.expected if get_origin(one) is Literal for word in get_args(one)]
    hint = nearest(item["input"], words) if isinstance(item["input"], str) else ""
    return [f"{path}: {wanted}, got {item['input']!r}.{hint}"]


def _locate(model: type[BaseModel], location: Keys) -> _Place:
    """Follow pydantic's location, past what is no key in it: the members of unions that it tried, and "[key]"."""
    path: list[str | int] = []
    union, named = None, False
    around: list[Any] = []
    here: list[Any] = [model]
    for part in location[:-1] if location[-1:] == ("[key]",) else location:
        if len(here) > 1 and not named:
            union, named = tuple(path) if union is None else union, True
            continue
        path.append(part)
        around, here = here, [member for one in here for member in _members(_below(one, part))]
        named = False
    return _Place(tuple(path), union, around, here)


def _below(annotation: Any, part: str | int) -> Any:
    """Return what is expected under a key of something that is annotated so; None where nothing is known."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return None if field is None else field.annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not arguments:
        return None
    if origin is tuple and isinstance(part, int) and arguments[-1] is not Ellipsis:
        return arguments[part]
    return arguments[-1] if issubclass(origin, Mapping) else arguments[0]


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union (but None, for which pydantic has no place), or the annotation alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return [] if annotation in (None, type(None)) else [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
