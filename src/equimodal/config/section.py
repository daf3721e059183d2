"""The base of the configuration's parts, of methods' options, and of all that is checked like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from equimodal.config.annotations import below, members


class Section(BaseModel):
    """A part of the configuration: typed and unchangeable.

    Unknown keys and numbers that are not finite are refused, and so is a boolean where a number is expected, which
    pydantic (and Python) would take for 1 or 0.

    Example:
        >>> class Training(Section):
        ...     epochs: int = 60
        >>> try:
        ...     Training(epochs=True)
        ... except ValueError as error:
        ...     print(error.errors()[0]["msg"], "got", error.errors()[0]["input"])
        Input should be a valid integer got True
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        return mark_booleans(value, members(field.annotation))


class _Boolean:
    """A boolean in a place for numbers: no validator accepts it, and messages show it as it was."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


def mark_booleans(value: Any, expected: Sequence[Any]) -> Any:
    """Return the value with a mark in place of each boolean that would pass for a number."""
    if _is_boolean(value):
        accepted = any(one in (bool, Any) or any(word is value for word in get_args(one)) for one in expected)
        return _Boolean(value) if not accepted and any(one in (int, float) for one in expected) else value
    if isinstance(value, (Mapping, list, tuple)) and any(get_args(one) for one in expected):
        if isinstance(value, Mapping):
            return {key: mark_booleans(item, _under(expected, key)) for key, item in value.items()}
        items = [mark_booleans(item, _under(expected, number)) for number, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    return value


def _is_boolean(value: Any) -> bool:
    """Return whether a value is a boolean of Python's, or of NumPy's, which is not imported here."""
    return isinstance(value, bool) or (type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"))


def _under(expected: Sequence[Any], key: Any) -> list[Any]:
    return [member for one in expected for member in members(below(one, key))]
