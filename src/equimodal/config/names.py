"""What a configuration may name, as far as the caller knows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol


class Names(Protocol):
    """Says which names exist and which options a method has.

    The configuration itself knows the form of things only. Where a run is set up, these names are given to it, so that
    mistakes of form and wrong names are reported together.
    """

    def methods(self) -> Collection[str]:
        """Return the names of all methods."""
        ...

    def options(self, method: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return all options of a method: those given, checked, and the defaults of the others.

        Raises:
            ConfigError: an option is unknown or its value impossible; `where` is its path in the messages.
        """
        ...

    def fusions_of(self, method: str) -> Collection[str]:
        """Return the names of the fusions that a method can train."""
        ...

    def check_encoder(self, name: str) -> None:
        """Raise a `ConfigError` if no encoder has that name: a registered one's, or `module:Class`."""
        ...

    def check_fusion(self, name: str) -> None:
        """Raise a `ConfigError` if no fusion has that name."""
        ...

    def check_target(self, target: Mapping[str, float]) -> None:
        """Raise a `ConfigError` if the shares of the modalities are impossible."""
        ...

    def data_sets(self) -> Collection[str]:
        """Return the names of all data sets."""
        ...
