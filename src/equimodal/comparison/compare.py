"""Methods by seeds: each seed one split and one start for all methods, the numbers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

from torch import nn

from equimodal.comparison.comparison import Comparison
from equimodal.comparison.folder import opened, provenance
from equimodal.comparison.jobs import (
    EncoderMaker,
    Job,
    Making,
    ModelMaker,
    Workers,
    is_finished,
    make_job,
    run_jobs,
)
from equimodal.comparison.preflight import check, check_names, ensemble_and_others
from equimodal.comparison.progress import RunProgress, announce
from equimodal.comparison.result import Failure, Result
from equimodal.config.controls import Controls
from equimodal.config.names import Names
from equimodal.config.options import TrainingOptions, with_options
from equimodal.config.run import MethodSpec, RunConfig, TrainingConfig, build_config
from equimodal.data.splits import Splits, check_splits
from equimodal.errors import ConfigError, Diverged, Interrupted
from equimodal.files import safe_name
from equimodal.methods.base import METHODS, Method
from equimodal.training.ability import read_reference
from equimodal.training.given import read_method
from equimodal.training.names import NAMES, resolve


@with_options(TrainingConfig)
def compare(
    data: Splits,
    methods: Sequence[str | Mapping[str, Any] | type[Method] | MethodSpec],
    *,
    seeds: int = 5,
    encoders: Mapping[str, str | Mapping[str, Any] | nn.Module | EncoderMaker] | None = None,
    width: int = 64,
    model: ModelMaker | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    redraw: Literal["split", "none"] = "split",
    workers: Workers = 1,
    quiet: bool = False,
    measure: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    **training: Unpack[TrainingOptions],
) -> Comparison:
    """Train every method over several seeds and compare their numbers.

    A seed draws a split and initial encoders that all methods share. The unimodal ensemble is trained first with the
    same budget, listed or not: it is the reference of utilisation. For scarce labels give
    `data.scarce(labels, seed=0)`: its rows are then redrawn.

    A run that diverges (an infinite or NaN loss, weight or output) does not end the comparison: the other runs finish,
    and the run is in `Comparison.failures`.

    Args:
        data: training, validation and test part.
        methods: names of methods, `"name:key=value"`, subclasses of `Method` (registered or not), or
            mappings with `name` (or a class), options and an optional `label`. The first is the baseline of the paired
            differences.
        seeds: how many: 0, 1, 2 ...
        encoders: for some modalities the name of an encoder, a mapping with `name` and its options, a module of yours,
            or a function that returns a new one. Each seed builds its encoders on its own training rows: shapes and
            statistics are those of its split. A module is copied for each run, with the weights that it has; a
            function is called for each run, after torch's generator was seeded with the seed.
        width: size of the encodings.
        model: in place of `encoders` and `width`: called with a seed, after torch's generator was seeded with it,
            returns the whole untrained classifier. It must not read the rows of `data` where splits are redrawn.
        out: a folder, with a run folder for each method and seed; None keeps everything in memory.
        resume: keep the finished runs in `out`, and resume interrupted ones. The folder does not know your modules or
            what `model` returns: choose another folder when that changes.
        redraw: "split" draws a new split for each seed; "none" keeps the split (training noise only).
        workers: processes that train in parallel, or "ray" for a Ray cluster. Results do not depend on it, except for
            float rounding where torch uses another number of threads. Your own registered methods must then be
            importable (an entry point).
        quiet: print nothing while training.
        measure: options of `equimodal.config.run.MeasureConfig`.
        features: options of `equimodal.config.run.FeaturesConfig`, for instance `{"cache": "features"}`.
        training: options of `equimodal.config.run.TrainingConfig`: `epochs=30` and so on.

    Raises:
        ConfigError: an option is wrong, or two methods share a label.
        RunError: `out` holds something else or is in use, a run failed, or every run diverged.

    Example:
        >>> import numpy as np, equimodal as eq
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> data = eq.Dataset({"a": rng.normal(y[:, None], 1, (200, 3)), "b": rng.normal(0, 1, (200, 2))}, y)
        >>> table = eq.compare(data.split(seed=0), ["joint", "alternating"], seeds=2, epochs=2, quiet=True)
        >>> table.methods, len(table.values("joint", "accuracy"))
        (('joint', 'alternating'), 2)
    """
    check_splits(data)
    if isinstance(methods, (str, Mapping, MethodSpec)):
        raise ConfigError("compare.methods: expected a list of methods, got one. Write [method].")
    if model is not None and (encoders is not None or width != 64):
        raise ConfigError("model: makes the whole classifier. Leave out model, or encoders and width.")
    named, modules = _divide(encoders or {})
    listed, kinds = _read_methods(methods)
    source = data.provenance.get("source") or {"name": data.name, "labels": None}
    if redraw == "split":  # each seed has its own; rows that were drawn from fewer labels cannot be loaded again
        controls = {key: source[key] for key in Controls.model_fields if key in source}
        source = {"name": source["name"] if source["labels"] is None else data.name, **controls}
    making = Making(model, modules or None, kinds)
    config = build_config(
        {
            "data": source,
            "model": {"width": width, "encoders": named},
            "training": training,
            "measure": dict(measure or {}),
            "features": dict(features or {}),
            "compare": {"methods": listed, "seeds": seeds, "redraw": redraw},
        },
        making.names,
    )
    return run_comparison(config, data, making=making, out=out, resume=resume, workers=workers, quiet=quiet)


def _divide(encoders: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, nn.Module | EncoderMaker]]:
    """Return the encoders that a configuration can name, and those that are modules or functions of the user."""
    named = {name: given for name, given in encoders.items() if isinstance(given, (str, Mapping))}
    modules = {name: given for name, given in encoders.items() if name not in named}
    if problems := [
        f"encoders.{name}: expected a name, a mapping, a module or a function that returns one, "
        f"got {type(given).__name__}."
        for name, given in modules.items()
        if not callable(given)
    ]:
        raise ConfigError(problems)
    return named, modules


def _read_methods(methods: Sequence[Any]) -> tuple[list[Any], dict[str, type[Method]]]:
    """Return the methods as a configuration names them, and the classes among them that are not registered."""
    listed: list[Any] = []
    kinds: dict[str, type[Method]] = {}
    for method in methods:
        own = method.get("name") if isinstance(method, Mapping) else method
        if not isinstance(own, (type, Method)):
            listed.append(method)
            continue
        if isinstance(own, Method):
            raise ConfigError(
                f"compare.methods: this {type(own).__name__} was made for one model, and each run has its own. "
                f"Give the class: {type(own).__name__}, or {{'name': {type(own).__name__}, option: value}}."
            )
        given = read_method(method, None)
        name = given.content["name"]
        if kinds.setdefault(name, own) is not own:
            raise ConfigError(f"compare.methods: two classes are called {name}. Rename one of them.")
        listed.append(given.content)
    return listed, {name: kind for name, kind in kinds.items() if name not in METHODS.names()}


def run_comparison(
    config: RunConfig,
    data: Splits,
    *,
    making: Making | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Comparison:
    """Run the comparison that a configuration describes; see `compare`.

    The seeds are `config.seed`, `config.seed + 1` and so on, `config.compare.seeds` of them.

    Args:
        config: methods, seeds and redraw are in `config.compare`; `config.method` and `config.reference` are not used.
        data: all training rows: `config.data.labels` is applied here, after each redraw (see `seed_data`).
        making: how classifiers are made; None: as configured.
        out: see `compare`.
        resume: see `compare`.
        workers: see `compare`.
        quiet: see `compare`.
        command: the command that the user typed, for provenance.

    Raises:
        ConfigError: no method, two methods with the same label, or a fusion that a method cannot train.
        RunError: see `compare`.
        Interrupted: Ctrl-C; the same call resumes.
    """
    making = making or Making()
    config = resolve(config, making.names)
    check_names(config, making, workers)
    seconds = check(config, data, making, timed=not quiet)
    folder = None if out is None else Path(out)
    if not quiet:
        announce({data.name: time_left(config, folder, seconds, making.names)}, workers)
    return run_checked(config, data, making, folder, resume=resume, workers=workers, quiet=quiet, command=command)


def time_left(
    config: RunConfig, folder: Path | None, seconds: Mapping[str, float], names: Names = NAMES
) -> tuple[int, int, float]:
    """Return how many runs a comparison has, how many are finished, and the seconds of computing that are left.

    Args:
        config: of the comparison.
        folder: where it is kept, or None.
        seconds: of one run, by method's label.
        names: that the configuration may use.
    """
    total, finished, left = 0, 0, 0.0
    for job in _jobs(config, folder, [method for wave in ensemble_and_others(config) for method in wave], {}, names):
        total += 1
        if any(is_finished(job.folder, found) for found in job.candidates or (job.config,)):
            finished += 1
        else:
            left += seconds[job.config.method.label] * (1 + len(job.candidates))
    return total, finished, left


def run_checked(
    config: RunConfig,
    data: Splits,
    making: Making,
    folder: Path | None,
    *,
    resume: bool,
    workers: Workers,
    quiet: bool,
    command: str | None,
) -> Comparison:
    """Run a comparison that was checked; see `run_comparison`."""
    ensemble, others = ensemble_and_others(config)
    seeds = range(config.seed, config.seed + config.compare.seeds)
    outcomes: dict[tuple[str, int], Result | Failure] = {}
    with (
        opened(folder, config, data, resume),  # only now: a mistake found before leaves no folder behind
        RunProgress(len(seeds) * (1 + len(others)), quiet) as progress,
    ):
        try:
            for wave in (ensemble, others):  # the results of the first wave are the reference of the second
                known = {
                    seed: read_reference(r.reference) for (_, seed), r in outcomes.items() if isinstance(r, Result)
                }
                jobs = _jobs(config, folder, wave, known, making.names)
                for outcome, trained in run_jobs(jobs, data, making, workers):
                    outcomes[outcome.method, outcome.seed] = outcome
                    progress.finished(outcome, trained)
        except (Interrupted, KeyboardInterrupt) as error:
            if folder is None:
                raise
            raise Interrupted(
                f"Interrupted: {progress.done} of {progress.total} runs are finished. "
                f"Everything is kept in {folder}; the same command resumes."
            ) from error
        comparison = _gather(config, data, outcomes, provenance(config, data, command))
        if folder is not None:
            comparison.save(folder)
    return comparison


def _gather(
    config: RunConfig, data: Splits, outcomes: Mapping[tuple[str, int], Result | Failure], origin: dict[str, Any]
) -> Comparison:
    """Return the comparison of what was found.

    Raises:
        Diverged: every run of the listed methods diverged.
    """
    methods = tuple(method.label for method in config.compare.methods)
    seeds = tuple(range(config.seed, config.seed + config.compare.seeds))
    found = {method: [outcomes[method, seed] for seed in seeds] for method in methods}
    results = {method: tuple(r for r in each if isinstance(r, Result)) for method, each in found.items()}
    failures = tuple(outcome for _, outcome in sorted(outcomes.items()) if isinstance(outcome, Failure))
    if not any(results.values()):
        first = failures[0]
        raise Diverged(f"Every run diverged, for instance {first.method}, seed {first.seed}: {first.reason}")
    return Comparison(methods, seeds, data.modalities, results, config.compare.redraw, origin, failures)


def _jobs(
    config: RunConfig, folder: Path | None, methods: Sequence[MethodSpec], references: Mapping[int, Any], names: Names
) -> list[Job]:
    return [
        make_job(
            config,
            method,
            seed,
            None if folder is None else folder / safe_name(method.label) / f"seed-{seed}",
            references.get(seed),
            names,
        )
        for seed in range(config.seed, config.seed + config.compare.seeds)
        for method in methods
    ]
