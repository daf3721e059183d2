"""The checks before a comparison begins, and how long it will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import torch

from equimodal.comparison.forecast import seconds_of_run
from equimodal.comparison.jobs import TRIALS, Making, make_job, seed_data
from equimodal.comparison.result import column_names
from equimodal.config.compare import Primary
from equimodal.config.method import MethodSpec, parse_method
from equimodal.config.run import LARGEST_SEED, RunConfig
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, Diverged, did_you_mean
from equimodal.files import safe_name
from equimodal.training.names import NAMES
from equimodal.training.run import REFERENCE


def ensemble_and_others(config: RunConfig) -> tuple[list[MethodSpec], list[MethodSpec]]:
    """Return the unimodal ensemble, listed or not, and all other methods: it is the reference of the others."""
    methods = config.compare.methods
    listed = next((method for method in methods if method.name == REFERENCE), None)
    ensemble = listed or parse_method(REFERENCE, names=NAMES)
    return [ensemble], [method for method in methods if method is not ensemble]


def check_names(config: RunConfig, making: Making, workers: object) -> None:
    """Check everything that needs the configuration only.

    Raises:
        ConfigError: all mistakes, together.
    """
    methods, model = config.compare.methods, making.model
    problems = config.compare.problems()
    if not methods:
        problems.append("compare.methods: expected at least one method, got none. Name some: joint, equilibrium ...")
    labels = [method.label for method in methods]
    if not any(method.name == REFERENCE for method in methods):
        labels.append(REFERENCE)
    for first, second in combinations(labels, 2):
        if first == second:
            problems.append(
                f"compare.methods: '{first}' is there twice. Leave one out, or give it a label of its own "
                "({name: ..., label: ...})."
            )
        elif safe_name(first).lower() == safe_name(second).lower():
            problems.append(
                f"compare.methods: '{first}' and '{second}' would share the folder '{safe_name(first)}'. "
                "Give one another label."
            )
    problems += [f"compare.methods: the label '{TRIALS}' is taken." for label in labels if safe_name(label) == TRIALS]
    problems += [
        f"model.fusion: '{method.label}' trains the fusions {', '.join(known)}, not '{fusion}'. "
        "Leave the fusion out (each method brings its own), or the method."
        for method in methods
        if method.fusion is None  # a fusion that the method names itself has been checked
        if (fusion := config.model.fusion) is not None and method.name != REFERENCE
        if fusion not in (known := making.names.method(method.name).fusions)
    ]
    if model is not None and (isinstance(model, torch.nn.Module) or not isinstance(model, Callable)):
        problems.append(
            f"model: expected a function from a seed to a new classifier, got {type(model).__name__}. "
            "Write lambda seed: Classifier(...)."
        )
    last = config.seed + config.compare.seeds - 1
    if last > LARGEST_SEED:
        problems.append(
            f"compare.seeds: expected seeds from 0 to {LARGEST_SEED}, but {config.compare.seeds} of them, counted from "
            f"seed ({config.seed}), end at {last}. Lower one of the two."
        )
    if workers != "ray" and (not isinstance(workers, int) or workers < 1):
        problems.append(f"workers: expected at least 1, or 'ray', got {workers!r}.")
    if problems:
        raise ConfigError(problems)


def check_columns(declared: Sequence[Primary], modalities: Sequence[str]) -> None:
    """Check that there are the columns that declared comparisons name: not only after hours of training.

    Raises:
        ConfigError: all mistakes, together.
    """
    known = column_names(modalities)
    problems = [
        f"compare.primary: there is no column '{primary.column}'.{did_you_mean(primary.column, known)}"
        for primary in declared
        if primary.column not in known
    ]
    if problems:
        raise ConfigError(problems)


def check(config: RunConfig, data: Splits, making: Making, *, timed: bool) -> dict[str, float]:
    """Set up the first seed's run of every method and draw every seed's split, so that mistakes show before training.

    Args:
        config: of the comparison.
        data: see `equimodal.comparison.compare.run_comparison`.
        making: how classifiers are made.
        timed: also train some batches of each method, to estimate how long it takes.

    Returns:
        Seconds of one run by method's label; 0 if not timed.

    Raises:
        ConfigError: all mistakes, together.
        DataError: the split of a seed cannot be drawn.
    """
    check_columns(config.compare.primary, data.modalities)
    splits = seed_data(config, data, config.seed)
    problems: list[str] = []
    seconds: dict[str, float] = {}
    for method in (method for wave in ensemble_and_others(config) for method in wave):
        try:
            job = make_job(config, method, config.seed, None, None, making.names)
            for tried in job.candidates[1:]:
                making.set_up(tried, splits, quiet=not timed)
            trainer = making.set_up(job.config, splits, quiet=not timed)
            seconds[method.label] = seconds_of_run(trainer) if timed else 0.0
        except Diverged:
            seconds[method.label] = 0.0  # reported when it is run
        except ConfigError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise ConfigError(problems)
    for seed in range(config.seed + 1, config.seed + config.compare.seeds):
        try:
            seed_data(config, data, seed)
        except DataError as error:
            raise DataError(f"seed {seed}: {error}") from error
    return seconds
