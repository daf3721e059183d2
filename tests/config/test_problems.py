"""One mistake is one message, whatever pydantic makes of unions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from equimodal.config.problems import problems_of
from equimodal.errors import ConfigError


def refuse(value: Any) -> Any:
    raise ConfigError(["the first.", "the second."])


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Inner(Strict):
    rate: float = Field(default=0.5, ge=0)
    kind: Literal["slow", "fast"] | None = None


class Options(Strict):
    size: int | list[int] | None = None
    inner: Inner | str = "none"
    each: dict[str, Annotated[int | Inner, Field()]] = {}
    pairs: list[tuple[int, Literal["left", "right"] | Inner]] = []
    own: Annotated[int, AfterValidator(refuse)] | None = None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": []}, []),
        (
            {"size": "x"},
            [
                "o.size: input should be a valid integer, unable to parse string as an integer, or a valid list, "
                "got 'x'."
            ],
        ),
        (
            {"size": [1, "y", "z"]},
            [
                f"o.size.{i}: input should be a valid integer, unable to parse string as an integer, got '{word}'."
                for i, word in ((1, "y"), (2, "z"))
            ],
        ),
        (
            {"inner": {"rate": -1, "knid": "slow", "kind": "fsat"}},
            [
                "o.inner.rate: input should be greater than or equal to 0, got -1.",
                "o.inner.kind: input should be 'slow' or 'fast', got 'fsat'. Did you mean 'fast'?",
                "Unknown key 'o.inner.knid'. Did you mean 'kind'? Known: kind, rate.",
            ],
        ),
        (
            {"inner": 3},
            [
                "o.inner: input should be a valid dictionary or instance of Inner, or a valid string, got 3. "
                "If it is a name, put it in quotes."
            ],
        ),
        ({"each": {"a": 1, "b": {"rat": 1}}}, ["Unknown key 'o.each.b.rat'. Did you mean 'rate'? Known: kind, rate."]),
        (
            {"pairs": [(1, "left"), (2, "rigth")]},
            [
                "o.pairs.1.1: input should be 'left' or 'right', or a valid dictionary or instance of Inner, "
                "got 'rigth'. Did you mean 'right'?"
            ],
        ),
        ({"own": 1, "sise": 2}, ["the first.", "the second.", "Unknown key 'o.sise'. Did you mean 'size'? Known: "]),
    ],
)
def test_messages(given, expected):
    found = []
    try:
        Options.model_validate(given)
    except ValidationError as error:
        found = problems_of(error, Options, "o")
    assert len(found) == len(expected)
    for message, start in zip(found, expected, strict=True):
        assert message.startswith(start) if start.endswith("Known: ") else message == start
