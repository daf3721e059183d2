"""Recipes: one YAML each, with what differs from the defaults, and `about`, a line that says what it is for."""

from __future__ import annotations

from importlib import resources
from typing import Any

from equimodal.config.yaml import read_yaml

RECIPES = resources.files("equimodal.config.recipes")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with the package."""
    return tuple(sorted(p.name.removesuffix(".yaml") for p in RECIPES.iterdir() if p.name.endswith(".yaml")))


def read_recipe(name: str) -> dict[str, Any]:
    """Return a recipe's content; `about` says in one line what it is for."""
    return read_yaml((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"), f"recipe '{name}'")
