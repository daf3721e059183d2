"""A training method as `fit` takes it: by name, as a class, or made already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equimodal.errors import ConfigError, did_you_mean
from equimodal.methods.base import METHODS, Method
from equimodal.models.classifier import Classifier
from equimodal.training.names import NAMES, RegisteredNames

MethodLike = str | Mapping[str, Any] | type[Method] | Method
"""The name of a method, a mapping with `name` (or a class) and options, a class, or an instance."""


@dataclass(frozen=True)
class GivenMethod:
    """A method as it was given.

    Args:
        content: what the configuration says of it.
        kind: its class, where a class or an instance was given.
        made: the instance, where one was given.
    """

    content: Any
    kind: type[Method] | None = None
    made: Method | None = None

    @property
    def names(self) -> RegisteredNames:
        """The names that the configuration may use: all that are registered, and this method's."""
        if self.kind is None or self.content["name"] in METHODS.names():
            return NAMES
        return RegisteredNames({self.content["name"]: self.kind})


def read_method(method: MethodLike, model: Classifier | None) -> GivenMethod:
    """Return what a method stands for.

    A class need not be registered. In the configuration it then has its own name.

    Args:
        method: see `MethodLike`.
        model: the model to train; None: each run has its own, so an instance is refused.

    Raises:
        ConfigError: an instance is of another model, or an unregistered class has the name of a registered method.
    """
    if isinstance(method, Method):
        if method.model is not model:
            raise ConfigError(
                f"method: this {type(method).__name__} was made for another model than the one to train. Make it with "
                f"that model: {type(method).__name__}(model, ...), or give the class."
            )
        options = method.config.model_dump(mode="json")
        return GivenMethod({"name": _name(type(method)), **options}, type(method), method)
    if isinstance(method, type) and issubclass(method, Method):
        return GivenMethod({"name": _name(method)}, method)
    if isinstance(method, Mapping):
        kind = method.get("name")
        if isinstance(kind, type) and issubclass(kind, Method):
            return GivenMethod({**method, "name": _name(kind)}, kind)
    elif not isinstance(method, str):
        came = f"the class {method.__name__}" if isinstance(method, type) else type(method).__name__
        raise ConfigError(
            "method: expected a name, a mapping with 'name', a subclass of equimodal.Method or an instance of one, got "
            f"{came}.{did_you_mean(came, METHODS.names())}"
        )
    return GivenMethod(method)


def _name(kind: type[Method]) -> str:
    """Return the name of a class in the configuration: the one it is registered under, or its own."""
    name = next((name for name, known in METHODS.items() if known is kind), kind.__name__)
    if name in METHODS.names() and METHODS.get(name) is not kind:
        raise ConfigError(
            f"method: the class {kind.__module__}.{name} is not registered, and another method has its name. Rename it."
        )
    return name
