"""Run the analysis of features: runs keep encodings while they train, which are then read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from equimodal.analyses.features import PROJECTIONS, Features
from equimodal.analyses.findings import Findings
from equimodal.analyses.running import run_analysis
from equimodal.comparison.jobs import Workers
from equimodal.config.compare import Setting
from equimodal.config.run import RunConfig
from equimodal.config.yaml import merge


def run_features(
    config: RunConfig,
    *,
    projections: Sequence[str] = PROJECTIONS,
    out: str | Path,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Findings:
    """Train methods as `compare` does, keep encodings after the epochs of `measure.encodings`, and read them.

    Args:
        config: as for `compare`; where it names no epochs, `default_epochs` are kept, in a setting those of its own
            training.
        projections: see `equimodal.analyses.projections.WORDS`.
        out: the folder.
        workers: see `equimodal.analyses.running.run_analysis`.
        quiet: print nothing.
        command: the command line that was typed, for provenance.

    Raises:
        ConfigError: an epoch is beyond training, a projection is unknown, or the configuration is wrong.
        RunError: the folder holds something else, or encodings are missing.
        Interrupted: on Ctrl-C; the same call resumes.
    """
    config = _with_epochs(config)
    settings = max(1, len(config.compare.settings))
    make = partial(Features, projections=projections, seed=config.seed, settings=settings)
    return run_analysis(make, config, methods=None, out=out, workers=workers, quiet=quiet, command=command)


def _with_epochs(config: RunConfig) -> RunConfig:
    """Return the configuration with epochs to keep; a setting that trains for another time has its own."""
    kept = config.measure.encodings
    if kept.epochs:
        return config
    kept = kept.model_copy(update={"epochs": default_epochs(config.training.epochs)})
    measure = config.measure.model_copy(update={"encodings": kept})
    compare = config.compare.model_copy(update={"settings": [_setting(one) for one in config.compare.settings]})
    return config.model_copy(update={"measure": measure, "compare": compare})


def _setting(setting: Setting) -> Setting:
    own = setting.changes.get("measure", {}).get("encodings", {})
    epochs = setting.changes.get("training", {}).get("epochs")
    if not isinstance(epochs, int) or epochs < 1 or not isinstance(own, Mapping) or own.get("epochs"):
        return setting  # nothing to add, or a mistake that is reported with the others
    changes = merge(setting.changes, {"measure": {"encodings": {"epochs": default_epochs(epochs)}}})
    return setting.model_copy(update={"changes": changes})


def default_epochs(epochs: int) -> list[int]:
    """Return the epochs that are kept where none are named: before the first, early, a third in, and the last.

    Example:
        >>> default_epochs(60), default_epochs(1)
        ([0, 6, 20, 60], [0, 1])
    """
    return sorted({0, math.ceil(epochs / 10), math.ceil(epochs / 3), epochs})
