"""What an annotation of a configuration's part expects under a key."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def members(annotation: Any) -> list[Any]:
    """Return the members of a union except None, or the annotation alone.

    Example:
        >>> members(int | list[str] | None)
        [<class 'int'>, list[str]]
    """
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for one in get_args(annotation) for member in members(one)]
    return [] if annotation in (None, type(None)) else [annotation]


def below(annotation: Any, key: str | int) -> Any:
    """Return what is expected under a key of something annotated so; None where nothing is known.

    Example:
        >>> below(dict[str, float], "a"), below(tuple[int, str], 1)
        (<class 'float'>, <class 'str'>)
    """
    if is_model(annotation):
        field = annotation.model_fields.get(str(key))
        return None if field is None else field.annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not arguments:
        return None
    if origin is tuple and isinstance(key, int) and arguments[-1] is not Ellipsis:
        return arguments[key] if key < len(arguments) else None
    return arguments[-1] if issubclass(origin, Mapping) else arguments[0]


def is_model(annotation: Any) -> bool:
    """Return whether an annotation is a class of pydantic's."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
