"""From a command's options to a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from equimodal.config import RunConfig, load_config


def configure(
    recipe: str | None,
    data: str | None,
    settings: Sequence[str] | None,
    methods: Sequence[str] | None = None,
) -> RunConfig:
    """Return the configuration that the options describe; all mistakes are reported together.

    Args:
        recipe: name or path; None: the defaults.
        data: name or path; None: the recipe's.
        settings: ``key=value``.
        methods: methods to compare; None: the recipe's.
    """
    content = {} if data is None else {"data": {"name": data}}
    if methods:
        content["compare"] = {"methods": list(methods)}
    return load_config(recipe, settings or [], content)
