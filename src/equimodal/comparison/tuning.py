"""Choose the settings of each method on validation, with the same budget for every method; test is never read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.config.compare import Tuning
from equimodal.config.names import Names
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import merge, nest
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, Diverged
from equimodal.files import write_text
from equimodal.seeds import derive_seed
from equimodal.training.fit import measure_part
from equimodal.training.folder import open_folder
from equimodal.training.loop import Trainer
from equimodal.training.names import NAMES

FILE = "validation.json"
WORST = (float("-inf"), float("-inf"))
"""Score of a candidate that diverged."""


def candidates(config: RunConfig, label: str, tuning: Tuning, names: Names = NAMES) -> Iterator[RunConfig]:
    """Yield the configurations that a method may try: the unchanged one, then others of its grid, `trials` in all.

    From a larger grid they are drawn without replacement, by the run's seed.

    Args:
        config: of the run.
        label: of the method, under which `tuning.own` lists the method's own options.
        tuning: what may be tuned.
        names: that the configuration may use.

    Raises:
        ConfigError: a value that the configuration does not accept.

    Example:
        >>> tuning = Tuning(trials=4, grid={"training.learning_rate": [0.01, 0.1]}, own={"uniform": {"weight": [1, 2]}})
        >>> [(c.training.learning_rate, c.method.options.get("weight")) for c in
        ...  candidates(build_config({"method": "uniform"}), "uniform", tuning)][0]
        (0.001, None)
    """
    yield config
    axes: dict[str, list[Any]] = {**tuning.grid}
    axes |= {f"method.{option}": values for option, values in tuning.own.get(label, {}).items()}
    plain = config.to_dict()
    seen = {config.hash()}
    combinations = list(product(*axes.values()))
    order = np.random.default_rng(derive_seed(config.seed, "tuning")).permutation(len(combinations))
    if len(combinations) < tuning.trials:
        order = np.arange(len(combinations))
    for number in order:
        try:
            found = build_config(merge(plain, nest(dict(zip(axes, combinations[number], strict=True)))), names)
        except ConfigError as error:
            raise ConfigError([f"compare.tune, {label}: {problem}" for problem in error.problems]) from error
        if len(seen) < tuning.trials and found.hash() not in seen:
            seen.add(found.hash())
            yield found


def tuned_values(tried: Sequence[RunConfig], chosen: RunConfig) -> dict[str, Any]:
    """Return the settings that differ among the candidates, by dotted key, as they were chosen.

    Args:
        tried: the candidates.
        chosen: one of them.

    Example:
        >>> one, other = (build_config({"training": {"learning_rate": rate}}) for rate in (0.01, 0.1))
        >>> tuned_values([one, other], other)
        {'training.learning_rate': 0.1}
    """
    plain = [_flat(config.to_dict()) for config in tried]
    keys = dict.fromkeys(key for each in plain for key in each if any(other.get(key) != each[key] for other in plain))
    found = _flat(chosen.to_dict())
    return {key: found.get(key) for key in keys}


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def choose(
    tried: Sequence[RunConfig],
    data: Splits,
    set_up: Callable[[RunConfig, Path | None], Trainer],
    folder: Path | None,
) -> RunConfig:
    """Train every candidate and return the one with the best validation score; the earlier one if two are equal.

    The score is that which selects epochs, on the whole validation part. A candidate that diverges is worse than all
    others. A candidate that was trained before is not trained again.

    Args:
        tried: the candidates.
        data: of the seed; test is not read.
        set_up: returns what the run of a candidate needs, from its configuration and its folder.
        folder: keeps one folder per candidate; None: in memory.
    """
    scores = [
        _score(config, data, set_up, None if folder is None else folder / f"trial-{number}")
        for number, config in enumerate(tried)
    ]
    return tried[max(range(len(tried)), key=scores.__getitem__)]


def _score(
    config: RunConfig, data: Splits, set_up: Callable[[RunConfig, Path | None], Trainer], folder: Path | None
) -> tuple[float, float]:
    path = None if folder is None else folder / FILE
    if path is not None and path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["config"] == config.hash():
            return WORST if known["score"] is None else tuple(known["score"])
    trainer = set_up(config, folder)
    if folder is not None:
        open_folder(folder, config, data, trainer.weights.specification, resume=True)
        trainer.resume()
    content: dict[str, Any] = {"config": config.hash()}
    score = WORST
    try:
        trainer.run()
        scores = measure_part(trainer, trainer.data.validation, "validation").scores
    except Diverged as error:
        content |= {"score": None, "diverged": str(error)}
    else:
        by = config.training.select
        score = (-scores["loss"] if by == "loss" else scores[by], -scores["loss"])
        content |= {"score": score, "accuracy": scores["accuracy"]}
    if path is not None:
        write_text(path, json.dumps(content) + "\n", then="give the same command again")
    return score
