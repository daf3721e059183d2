"""An arm: one method that an analysis trains, and what was varied in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equimodal.config.method import MethodSpec, parse_method
from equimodal.config.yaml import merge, nest
from equimodal.training.names import NAMES

METHODS = ("equilibrium", "paper")
"""The methods that are analysed: they have an order, a mapping and a memory. A recipe is one of them with options."""

Group = tuple[str, ...]
"""Labels of arms whose numbers are averaged seed by seed."""


@dataclass(frozen=True)
class Arm:
    """One method of an analysis.

    Args:
        method: what is trained.
        recipe: label of the recipe that it is made from.
        factors: what was varied, in words.
        against: label of the arm that it is compared with; None for a reference of others.
    """

    method: MethodSpec
    recipe: str
    factors: dict[str, str]
    against: str | None = None

    @property
    def label(self) -> str:
        """The arm's name, in tables and as a folder."""
        return self.method.label

    @property
    def words(self) -> str:
        """What was varied: the arm's name in tables of one recipe."""
        return ", ".join(self.factors.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the arm as JSON-safe values."""
        return {**vars(self), "method": self.method.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Arm:
        """Return the arm that `to_dict` wrote."""
        return cls(**{**plain, "method": MethodSpec(**plain["method"])})


def make_arm(
    recipe: MethodSpec, factors: Mapping[str, str], options: Mapping[str, Any], against: str | None = None
) -> Arm:
    """Return the recipe with other options, labelled by what was varied.

    Args:
        recipe: the method.
        factors: what is varied, in words.
        options: values by dotted key.
        against: label of the arm that it is compared with.

    Raises:
        ConfigError: if the method refuses the options.

    Example:
        >>> make_arm(parse_method("equilibrium"), {"strategy": "random"}, {"order": "random"}).label
        'equilibrium, random'
    """
    label = ", ".join([recipe.label, *factors.values()])
    content = {"name": recipe.name, "label": label, **recipe.of_fusion(), **merge(recipe.options, nest(options))}
    return Arm(parse_method(content, where=label, names=NAMES), recipe.label, dict(factors), against)
