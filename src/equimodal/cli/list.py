"""`equimodal list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

KINDS = ("methods", "encoders", "fusions", "data", "benchmarks", "recipes")


def list_known(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help=f"One of {', '.join(KINDS)}; default: all.")
    ] = None,
) -> None:
    """List methods, encoders, fusions, data sets, public data sets that can be prepared, and recipes."""
    from equimodal.config.recipes import read_recipe, recipe_names
    from equimodal.data.catalogue import DATASETS
    from equimodal.errors import ConfigError, did_you_mean
    from equimodal.methods.base import METHODS
    from equimodal.models.encoders.base import ENCODERS
    from equimodal.models.fusions.base import FUSIONS
    from equimodal.preparation.benchmark import BENCHMARKS
    from equimodal.registry import Registry

    def described(registry: Registry[Any]) -> list[tuple[str, str]]:
        sound = [(name, _first_line(member.__doc__)) for name, member in registry.items()]
        return sorted([*sound, *((name, f"broken. {why}") for name, why in registry.broken().items())])

    tables = {
        "methods": lambda: described(METHODS),
        "encoders": lambda: described(ENCODERS),
        "fusions": lambda: described(FUSIONS),
        "data": lambda: described(DATASETS),
        "benchmarks": lambda: described(BENCHMARKS),
        "recipes": lambda: [(name, read_recipe(name).get("about", "")) for name in recipe_names()],
    }
    if kind is not None and kind not in tables:
        raise ConfigError(f"Nothing to list is called '{kind}'.{did_you_mean(kind, tables)}")
    for title, rows in tables.items():
        if kind in (None, title):
            print(f"{title}:")
            for name, text in rows():
                print(f"  {name:20}{text}")


def _first_line(text: str | None) -> str:
    """Return the first sentence of a docstring, on one line."""
    paragraph = " ".join((text or "").strip().split("\n\n")[0].split())
    return paragraph if len(paragraph) <= 100 else paragraph[:97].rsplit(" ", 1)[0] + " ..."
