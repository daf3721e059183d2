"""Methods by seeds: each seed one split and one start for all methods, the numbers side by side."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, cast

import torch

from equimodal.config import LARGEST_SEED, MethodSpec, RunConfig, build_config
from equimodal.data.splits import Splits, check_splits
from equimodal.errors import ConfigError, EquimodalError, Interrupted
from equimodal.evaluate.comparison import Comparison, Result
from equimodal.evaluate.folder import open_folder, provenance
from equimodal.evaluate.progress import Progress
from equimodal.files import safe_name
from equimodal.methods.base import METHODS
from equimodal.models.classifier import Classifier
from equimodal.training.run import REFERENCE, Reference, set_up, train
from equimodal.training.seeds import derive_seed

ModelMaker = Callable[[int], Classifier]


def compare(
    data: Splits,
    methods: Sequence[str | Mapping[str, Any] | MethodSpec],
    *,
    seeds: int = 5,
    model: ModelMaker | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    redraw: Literal["split", "none"] = "split",
    workers: int = 1,
    quiet: bool = False,
    measure: Mapping[str, Any] | None = None,
    **training: Any,
) -> Comparison:
    """Train every method over several seeds and set their numbers side by side.

    A seed draws a split and initial encoders that all methods share. The unimodal ensemble is trained first
    with the same budget, listed or not: it is the reference of utilisation. For scarce labels give
    ``data.scarce(labels, seed=0)``: its rows are then what is redrawn.

    Args:
        data: training, validation and test part.
        methods: names of methods or recipes, ``"name:key=value"``, or mappings with ``name``, options and
            perhaps a ``label``. The first is the baseline of the paired differences.
        seeds: how many; 0, 1, 2 ...
        model: called with a seed, returns an untrained classifier; torch's seed is set before. None: the
            default for each seed's data. It must not read the data's own split where splits are redrawn.
        out: a folder, with a run folder for each method and seed; None keeps everything in memory.
        resume: keep the finished runs in ``out``, and go on with interrupted ones. The folder cannot know
            what ``model`` makes: choose another folder when that changes.
        redraw: "split" draws the rows anew into parts for each seed; "none" keeps the split (training noise
            only).
        workers: processes that train side by side. Results do not depend on it but for float rounding where
            torch gets another number of threads. Methods of your own must then be importable (an entry
            point).
        quiet: say nothing while training.
        measure: options of :class:`~equimodal.config.MeasureConfig`.
        training: options of :class:`~equimodal.config.TrainingConfig`: ``epochs=30`` and so on.

    Raises:
        ConfigError: an option is wrong, or two methods share a label.
        RunError: ``out`` holds something else, or a run failed.

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
    source = data.provenance.get("source")
    config = build_config(
        {
            "data": {"name": source["name"] if source and source["labels"] is None else data.name},
            "training": training,
            "measure": dict(measure or {}),
            "compare": {"methods": list(methods), "seeds": seeds, "redraw": redraw},
        }
    )
    return run_comparison(config, data, model=model, out=out, resume=resume, workers=workers, quiet=quiet)


def run_comparison(
    config: RunConfig,
    data: Splits,
    *,
    model: ModelMaker | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    workers: int = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Comparison:
    """Carry out the comparison that a configuration describes; see :func:`compare`.

    The seeds are ``config.seed``, ``config.seed + 1`` and so on, ``config.compare.seeds`` of them.

    Args:
        config: methods, seeds and redraw in ``config.compare``; ``config.method`` and ``config.reference``
            are not looked at.
        data: all training rows: ``config.data.labels`` is applied here, after each redraw (see
            :func:`seed_data`).
        model: see :func:`compare`.
        out: see :func:`compare`.
        resume: see :func:`compare`.
        workers: see :func:`compare`.
        quiet: see :func:`compare`.
        command: what the user typed, for provenance.

    Raises:
        ConfigError: no method, two of one label, or a fusion that a method cannot train.
        Interrupted: Ctrl-C; the same call goes on.
    """
    problems = _problems(config, model, workers)
    if problems:
        raise ConfigError(problems)
    methods = config.compare.methods
    listed = next((method for method in methods if method.name == REFERENCE), None)
    ensemble = listed or MethodSpec(name=REFERENCE)
    others = [method for method in methods if method is not ensemble]
    _check_runs(config, [ensemble, *others], data, model)
    folder = None if out is None else Path(out)
    if folder is not None:  # only now: a mistake found above leaves no folder behind
        open_folder(folder, config, data, resume)
    seeds = range(config.seed, config.seed + config.compare.seeds)
    results: dict[tuple[str, int], Result] = {}

    def jobs(wanted: Sequence[MethodSpec]) -> list[Job]:
        return [
            Job(
                _run_config(config, method, seed),
                None if folder is None else folder / safe_name(method.label) / f"seed-{seed}",
                results[ensemble.label, seed].reference if method is not ensemble else None,
            )
            for seed in seeds
            for method in wanted
        ]

    with Progress(len(seeds) * (1 + len(others)), quiet) as progress:
        try:
            for wave in ([ensemble], others):  # the first wave's results are the second's reference
                for result, trained in _carry_out_all(jobs(wave), data, model, workers):
                    results[result.method, result.seed] = result
                    progress.finished(result, trained)
        except (Interrupted, KeyboardInterrupt) as error:
            if folder is None:
                raise
            raise Interrupted(
                f"Interrupted: {progress.done} of {progress.total} runs are finished. "
                f"Everything is kept in {folder}; the same command goes on."
            ) from error
    comparison = Comparison(
        methods=tuple(method.label for method in methods),
        seeds=tuple(seeds),
        modalities=data.modalities,
        results={m.label: tuple(results[m.label, seed] for seed in seeds) for m in methods},
        redraw=config.compare.redraw,
        provenance=provenance(config, data, command),
    )
    if folder is not None:
        comparison.save(folder)
    return comparison


def seed_data(config: RunConfig, data: Splits, seed: int) -> Splits:
    """Return the data of one seed: redrawn, then made scarce.

    That is what :func:`equimodal.data.catalogue.load` returns for the run's own configuration. With redrawn
    splits the labelled rows are drawn anew from each training part; on a fixed split they are the same for
    every seed.

    Args:
        config: of the comparison; ``data.labels``, ``data.split_seed`` and ``compare.redraw`` are read.
        data: with all its training rows.
        seed: of the run.
    """
    draw = config.data.split_seed or 0
    if config.compare.redraw == "split":
        data, draw = data.redraw(seed), seed
    return data if config.data.labels is None else data.scarce(config.data.labels, draw)


@dataclass(frozen=True)
class Job:
    """One run to carry out.

    Args:
        config: what to run.
        folder: where it is kept; None: in memory.
        reference: what each modality reaches alone; None for the ensemble, which finds it out.
    """

    config: RunConfig
    folder: Path | None
    reference: Reference | None


def _problems(config: RunConfig, model: object, workers: int) -> list[str]:
    methods = config.compare.methods
    problems = []
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
    fusion = config.model.fusion
    problems += [
        f"model.fusion: '{method.label}' trains the fusions {', '.join(known)}, not '{fusion}'. "
        "Leave the fusion out (each method brings its own), or the method."
        for method in methods
        if fusion is not None and method.name != REFERENCE
        if fusion not in (known := METHODS.get(method.name).fusions)
    ]
    if model is not None and (isinstance(model, torch.nn.Module) or not callable(model)):
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
    if workers < 1:
        problems.append(f"workers: expected at least 1, got {workers}.")
    return problems


def _check_runs(config: RunConfig, methods: Sequence[MethodSpec], data: Splits, model: ModelMaker | None) -> None:
    """Set up the first seed's run of every method, so that a mistake is told before hours of training."""
    splits = seed_data(config, data, config.seed)
    problems: list[str] = []
    for method in methods:
        run = _run_config(config, method, config.seed)
        try:
            set_up(run, splits, None if model is None else _untrained(model, run))
        except ConfigError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise ConfigError(problems)


def _run_config(config: RunConfig, method: MethodSpec, seed: int) -> RunConfig:
    changes: dict[str, Any] = {"method": method, "seed": seed, "reference": False}
    if config.compare.redraw == "split":
        changes["data"] = config.data.model_copy(update={"split_seed": seed})
    if method.name == REFERENCE:  # it has a late fusion of its own, whatever the others share
        changes["model"] = config.model.model_copy(update={"fusion": None, "fusion_options": {}})
    return config.model_copy(update=changes)


def _carry_out_all(
    jobs: Sequence[Job], data: Splits, model: ModelMaker | None, workers: int
) -> Iterator[tuple[Result, bool]]:
    """Yield each run's numbers as it finishes, and whether it was trained now."""
    if workers == 1:
        yield from (_carry_out(job, data, model) for job in jobs)
        return
    from joblib import Parallel, cpu_count, delayed

    threads = max(1, cpu_count() // workers)
    # joblib shares large arrays with the workers through one memory map; each redraws its own rows of it.
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    tasks = (delayed(_carry_out)(job, data, model, threads) for job in jobs)
    yield from cast(Iterator[tuple[Result, bool]], parallel(tasks))


def _carry_out(job: Job, data: Splits, model: ModelMaker | None, threads: int | None = None) -> tuple[Result, bool]:
    config, folder = job.config, job.folder
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        if folder is not None and _finished(folder, config):
            return Result.from_folder(folder, config.method.label), False
        splits = seed_data(config, data, config.seed)
        classifier = None if model is None else _untrained(model, config)
        run = train(
            config,
            splits,
            classifier,
            folder=folder,
            resume=folder is not None,
            quiet=True,
            reference=job.reference,
        )
    except Interrupted:
        raise
    except EquimodalError as error:
        raise type(error)(f"{config.method.label}, seed {config.seed}: {error}") from error
    return Result.from_run(run, splits.provenance["sizes"]), True


def _finished(folder: Path, config: RunConfig) -> bool:
    """Return whether the folder holds this very run, finished; :class:`Result` tells of damaged files."""
    path = folder / "metrics.json"
    try:
        return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["config"] == config.hash()
    except (ValueError, KeyError, TypeError):
        return True


def _untrained(model: ModelMaker, config: RunConfig) -> Classifier:
    """Return the user's classifier of a seed: equal for every method, and a copy, should it be one object."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "model"))
        made = model(config.seed)
    if not isinstance(made, Classifier):
        raise ConfigError(f"model: expected a Classifier for seed {config.seed}, got {type(made).__name__}.")
    made = copy.deepcopy(made)
    if config.method.name == REFERENCE:
        made.clear_fusion()
    return made
