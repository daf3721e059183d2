"""From a command's options to a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equimodal.config import RunConfig, load_config


def configure(
    recipe: str | None,
    data: str | None,
    settings: Sequence[str] | None,
    methods: Sequence[str] | None = None,
) -> RunConfig:
    """Return the configuration that the options describe; all mistakes are reported together.

    A path of data becomes absolute, so that the run's folder says where they are from anywhere.

    Args:
        recipe: name or path; None: the defaults.
        data: name or path; None: the recipe's.
        settings: ``key=value``.
        methods: methods to compare; None: the recipe's.
    """
    from equimodal.data.catalogue import DATASETS

    content: dict[str, Any] = {} if data is None else {"data": {"name": data}}
    if methods:
        content["compare"] = {"methods": list(methods)}
    config = load_config(recipe, settings or [], content)
    name = config.data.name
    if name not in DATASETS.names() and Path(name).exists():
        located = config.data.model_copy(update={"name": str(Path(name).resolve())})
        config = config.model_copy(update={"data": located})
    return config
