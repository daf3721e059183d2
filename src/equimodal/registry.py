"""Names for classes: a class registers itself beside its definition; lookups say what is known."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from equimodal.errors import ConfigError, did_you_mean

T = TypeVar("T")
M = TypeVar("M")


class Registry(Generic[T]):
    """A mapping from public names to classes or functions.

    All modules of the package given are imported at the first lookup, so that adding a member is adding a file there.
    Other packages add theirs by an entry point in the group `equimodal.<package>`, where `<package>` is the last part
    of the package's name (`equimodal.methods`, `equimodal.encoders` ...). Where one of those cannot be loaded, or takes
    a name that is taken, the error is raised for that name only, when it is looked up.

    Lookups may come from several threads at once.

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
        self._broken: dict[str, str] = {}
        self._discovered = False
        self._discovering = threading.RLock()
        self._within = False

    def register(self, name: str) -> Callable[[M], M]:
        """Return a decorator that gives a class (or function) its public name.

        Raises:
            ConfigError: another one has that name.
        """

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
        """Return the member called `name`.

        Raises:
            ConfigError: no member has that name (the message lists the known ones), or it cannot be loaded.
        """
        if name not in self.names():
            raise ConfigError(f"Unknown {self.kind} '{name}'.{did_you_mean(name, self.names())}")
        if name in self._broken:
            raise ConfigError(self._broken[name])
        return self._members[name]

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted."""
        self._discover()
        return tuple(sorted({*self._members, *self._broken}))

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield (name, member), sorted by name, of all that can be loaded."""
        return ((name, self._members[name]) for name in self.names() if name not in self._broken)

    def broken(self) -> dict[str, str]:
        """Return, by name, what is wrong with the members of other packages that cannot be loaded."""
        self._discover()
        return dict(self._broken)

    def _discover(self) -> None:
        if self._discovered:
            return
        with self._discovering:  # other threads wait for all members; a module that is being imported sees those so far
            if self._discovered or self._within:
                return
            self._within = True
            try:
                self._import_members()
                self._discovered = True  # not before: a failure is raised at every lookup, not at the first one only
            finally:
                self._within = False

    def _import_members(self) -> None:
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        for entry in entry_points(group=f"equimodal.{self.package.rpartition('.')[2]}"):
            try:
                self.register(entry.name)(entry.load())
            except Exception as error:  # noqa: BLE001 - another package's code, which may raise anything
                self._broken[entry.name] = (
                    f"The {self.kind} '{entry.name}' of {_distribution(entry)} (entry point {entry.value}) cannot be "
                    f"loaded: {type(error).__name__}: {error}. Mend or uninstall that package."
                )


def _distribution(entry: EntryPoint) -> str:
    return "an unnamed package" if entry.dist is None else f"package {entry.dist.name} {entry.dist.version}"
