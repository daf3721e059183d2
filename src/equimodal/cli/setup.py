"""From a command's options to a configuration."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equimodal.cli.shared import Runs
from equimodal.config.load import load_config
from equimodal.config.run import RunConfig
from equimodal.errors import ConfigError


def configure(
    recipe: str | None,
    data: str | None,
    settings: Sequence[str] | None,
    content: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Return the configuration that the options describe; all mistakes are reported together.

    A path of data becomes absolute, so that the configuration in the run's folder can be used from any folder.

    Args:
        recipe: name or path; None: the defaults.
        data: name or path; None: the recipe's.
        settings: `key=value`.
        content: more settings, nested.
    """
    from equimodal.training.names import NAMES  # imports torch

    named = {} if data is None else {"data": {"name": data}}
    config = load_config(recipe, settings or [], {**named, **(content or {})}, NAMES)
    name = config.data.name
    if name not in NAMES.data_sets() and Path(name).exists():
        located = config.data.model_copy(update={"name": str(Path(name).resolve())})
        config = config.model_copy(update={"data": located})
    return config


def configure_comparison(runs: Runs) -> RunConfig:
    """Return the configuration of a comparison; what is said about a method that is not compared is an error.

    Raises:
        ConfigError: the options or the recipe describe a method that is not compared.
    """
    settings = [*(runs.settings or []), *([] if runs.seeds is None else [f"compare.seeds={runs.seeds}"])]
    lost = [item for item in settings if item.partition("=")[0].partition(".")[0].strip() == "method"]
    if lost:
        key, _, value = lost[0].partition("=")
        wanted = value if key.strip() == "method" else f"equilibrium:{lost[0].strip().removeprefix('method.')}"
        raise ConfigError(
            f"{key}: 'method' is what train trains; compare trains the methods of compare.methods or -m. "
            f"Say it there, for instance -m {wanted}."
        )
    methods = {"compare": {"methods": list(runs.method)}} if runs.method else None
    config = configure(runs.recipe, runs.data, settings, methods)
    listed = [(method.name, method.options) for method in config.compare.methods]
    if (
        listed
        and methods is None
        and "method" in config.model_fields_set
        and (config.method.name, config.method.options) not in listed
    ):
        raise ConfigError(
            f"method: '{config.method.label}' with its options is not among compare.methods, so that it would not "
            "be trained. Add it there with the same options, or name the methods with -m."
        )
    return config


def typed_command() -> str:
    """Return the command as the user typed it, for provenance."""
    return f"equimodal {shlex.join(sys.argv[1:])}"
