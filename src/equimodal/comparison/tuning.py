"""Choosing each method's settings on validation, with the same budget for every method; test is never touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.config.compare import Tuning
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import merge, nest
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.files import write_text
from equimodal.models.classifier import Classifier
from equimodal.seeds import derive_seed
from equimodal.training.fit import measure_part, set_up
from equimodal.training.folder import open_folder
from equimodal.training.names import NAMES

FILE = "validation.json"


def candidates(config: RunConfig, label: str, tuning: Tuning) -> Iterator[RunConfig]:
    """Yield the configurations that a method may try: the untouched one, then others of its grid, ``trials`` in all.

    A grid that holds more is drawn from without replacement, by the run's seed.

    Args:
        config: of the run.
        label: the method's, under which ``tuning.own`` lists its own options.
        tuning: what may be tuned.

    Raises:
        ConfigError: a value that the configuration cannot take.

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
            found = build_config(merge(plain, nest(dict(zip(axes, combinations[number], strict=True)))), NAMES)
        except ConfigError as error:
            raise ConfigError([f"compare.tune, {label}: {problem}" for problem in error.problems]) from error
        if len(seen) < tuning.trials and found.hash() not in seen:
            seen.add(found.hash())
            yield found


def choose(
    tuned: Sequence[RunConfig], data: Splits, model: Callable[[], Classifier | None], folder: Path | None
) -> RunConfig:
    """Train every candidate and return the one with the best validation score, ties to the earlier.

    The score is that which selects epochs, on the whole validation part. What was trained before is not trained again.

    Args:
        tuned: the candidates.
        data: of the seed; test is not read.
        model: gives a new untrained classifier for each candidate.
        folder: keeps a folder a candidate; None: in memory.
    """
    scores = [
        _score(config, data, model(), None if folder is None else folder / f"trial-{number}")
        for number, config in enumerate(tuned)
    ]
    return tuned[max(range(len(tuned)), key=scores.__getitem__)]


def _score(config: RunConfig, data: Splits, model: Classifier | None, folder: Path | None) -> tuple[float, float]:
    path = None if folder is None else folder / FILE
    if path is not None and path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["config"] == config.hash():
            return tuple(known["score"])
    trainer = set_up(config, data, model, folder=folder)
    if folder is not None:
        open_folder(folder, config, data, trainer.model.specification(), resume=True)
        trainer.resume()
    trainer.run()
    scores = measure_part(trainer, trainer.data.validation, "validation").scores
    by = config.training.select
    score = (-scores["loss"] if by == "loss" else scores[by], -scores["loss"])
    if path is not None:
        content = {"config": config.hash(), "score": score, "accuracy": scores["accuracy"]}
        write_text(path, json.dumps(content) + "\n", then="give the same command again")
    return score
