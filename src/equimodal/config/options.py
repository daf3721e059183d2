"""The options of training as keyword arguments, so that editors and type checkers know them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypedDict, TypeVar

from equimodal.config.section import Section

F = TypeVar("F", bound=Callable[..., Any])


class TrainingOptions(TypedDict, total=False):
    """The fields of `TrainingConfig`, which has their meaning, defaults and limits."""

    epochs: int
    batch_size: int
    optimiser: Literal["adamw", "sgd"]
    learning_rate: float
    learning_rates: dict[str, float]
    weight_decay: float
    decay_norms_and_biases: bool
    schedule: Literal["cosine", "linear", "constant"]
    warmup: float
    clip_norm: float | None
    precision: Literal["32-true", "bf16-mixed"]
    accelerator: str
    select: Literal["accuracy", "macro_f1", "loss"]
    patience: int | None
    compile: bool
    loader_workers: int


def with_options(section: type[Section]) -> Callable[[F], F]:
    """Return a decorator that shows a section's fields, with their defaults, in place of `**options` in a signature.

    The function itself still takes any keyword: the configuration says what is wrong with one.

    Example:
        >>> from equimodal.config.run import TrainingConfig
        >>> @with_options(TrainingConfig)
        ... def train(model, **options): ...
        >>> inspect.signature(train).parameters["batch_size"].default
        64
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        shown = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation)
            for name, field in section.model_fields.items()
        ]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # pyright: ignore[reportFunctionMemberAccess]
        return function

    return decorate
