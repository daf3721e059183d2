"""The names and options that a configuration may use, checked where a run is set up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from equimodal.config.names import Names
from equimodal.config.problems import problems_of
from equimodal.config.run import RunConfig, build_config
from equimodal.contribution.equilibrium import target_vector
from equimodal.data.catalogue import DATASETS
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS, Method
from equimodal.models.fusions.base import FUSIONS
from equimodal.models.imported import encoder_class


class RegisteredNames:
    """The names in the registries, those of installed packages included; see `equimodal.config.names.Names`.

    Args:
        unregistered: methods beside those, by name.
    """

    def __init__(self, unregistered: Mapping[str, type[Method]] | None = None) -> None:
        self._unregistered = unregistered or {}

    def methods(self) -> tuple[str, ...]:
        """Return the names of all methods."""
        return (*METHODS.names(), *self._unregistered)

    def method(self, name: str) -> type[Method]:
        """Return the class of a method.

        Raises:
            ConfigError: there is none of that name.
        """
        return self._unregistered.get(name) or METHODS.get(name)

    def options(self, method: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return all options of a method: those given, checked, and the defaults of the others."""
        config = self.method(method).Config
        try:
            return config.model_validate(given).model_dump(mode="json")
        except ValidationError as error:
            raise ConfigError(problems_of(error, config, where)) from error

    def fusions_of(self, method: str) -> tuple[str, ...]:
        """Return the names of the fusions that a method can train."""
        return self.method(method).fusions

    def check_encoder(self, name: str) -> None:
        """Raise a `ConfigError` if no encoder has that name, or if the class that it names cannot be imported."""
        encoder_class(name)

    def check_fusion(self, name: str) -> None:
        """Raise a `ConfigError` if no fusion has that name."""
        FUSIONS.get(name)

    def check_target(self, target: Mapping[str, float]) -> None:
        """Raise a `ConfigError` if the shares are impossible; whether they fit the modalities shows with the data."""
        target_vector(target, list(target))

    def data_sets(self) -> tuple[str, ...]:
        """Return the names of all data sets."""
        return DATASETS.names()


NAMES = RegisteredNames()


def resolve(config: RunConfig, names: Names = NAMES) -> RunConfig:
    """Return the configuration with every name checked and the options of its methods complete.

    Raises:
        ConfigError: all mistakes, together.

    Example:
        >>> resolve(build_config({"method": "modality_dropout"})).method.options
        {'p': 0.2}
    """
    return build_config(config.to_dict(), names)
