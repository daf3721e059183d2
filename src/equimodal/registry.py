"""Names for classes: a class registers itself beside its definition; lookups say what is known."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from equimodal.errors import ConfigError, did_you_mean

T = TypeVar("T")
M = TypeVar("M")


class Registry(Generic[T]):
    """A mapping from public names to the things that bear them.

    The package given is imported whole at the first lookup, so that adding a member is adding a file there.
    Packages outside add theirs by an entry point in the group ``equimodal.<package>``, where ``<package>`` is
    the last part of the package's name (``equimodal.methods``, ``equimodal.encoders`` ...).

    Args:
        kind: what is registered, in the words of error messages ("method", "encoder").
        package: dotted name of the package that holds the members.

    Example:
        >>> from equimodal.methods.base import METHODS
        >>> METHODS.get("joint").__name__
        'Joint'
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._members: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[M], M]:
        """Return a decorator that gives a class (or function) its public name."""

        def decorate(member: M) -> M:
            if self._members.get(name, member) is not member:
                raise ConfigError(
                    f"Two {self.kind}s want the name '{name}': {self._members[name]!r} and {member!r}. "
                    "Rename one of them."
                )
            self._members[name] = member  # pyright: ignore[reportArgumentType] - the decorator keeps the class's own type
            return member

        return decorate

    def get(self, name: str) -> T:
        """Return the member called ``name``.

        Raises:
            ConfigError: no member has that name; the message lists the known ones.
        """
        self._discover()
        if name not in self._members:
            raise ConfigError(f"Unknown {self.kind} '{name}'.{did_you_mean(name, self._members)}")
        return self._members[name]

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        self._discover()
        return tuple(sorted(self._members))

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield (name, member), sorted by name."""
        return ((name, self._members[name]) for name in self.names())

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for entry in entry_points(group=f"equimodal.{self.package.rpartition('.')[2]}"):
            self.register(entry.name)(entry.load())
