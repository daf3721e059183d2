"""The runs of a comparison, one by one: their configurations, and carrying them out here, side by side, or on Ray."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch

from equimodal.comparison.comparison import Result
from equimodal.comparison.tuning import candidates, choose
from equimodal.config.method import MethodSpec
from equimodal.config.run import RunConfig
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, EquimodalError, Interrupted
from equimodal.models.classifier import Classifier
from equimodal.seeds import derive_seed
from equimodal.training.fit import train
from equimodal.training.run import REFERENCE, Reference

ModelMaker = Callable[[int], Classifier]
Workers = int | Literal["ray"]

TRIALS = "_tuning"
"""Folder of the candidates that were tried, beside those of the methods."""


def parse_workers(text: str) -> Workers:
    """Return what ``--workers`` says.

    Raises:
        ConfigError: it is neither a whole number above 0 nor "ray".
    """
    if text == "ray":
        return "ray"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--workers: expected a whole number above 0, or 'ray', got '{text}'.")


@dataclass(frozen=True)
class Job:
    """One run to carry out.

    Args:
        config: what to run.
        folder: where it is kept; None: in memory.
        reference: what each modality reaches alone; None for the ensemble, which finds it out.
        tuned: what may be tuned before; the first is ``config`` itself.
    """

    config: RunConfig
    folder: Path | None
    reference: Reference | None
    tuned: tuple[RunConfig, ...] = ()


def make_job(config: RunConfig, method: MethodSpec, seed: int, folder: Path | None, reference: Reference | None) -> Job:
    """Return the job of one method and seed of a comparison."""
    run = run_config(config, method, seed)
    tuning = config.compare.tune
    tuned = () if tuning is None else tuple(candidates(run, method.label, tuning))
    return Job(run, folder, reference, tuned)


def run_config(config: RunConfig, method: MethodSpec, seed: int) -> RunConfig:
    """Return the configuration of one method and seed of a comparison."""
    changes: dict[str, Any] = {"method": method, "seed": seed, "reference": False}
    if config.compare.redraw == "split":
        changes["data"] = config.data.model_copy(update={"split_seed": seed})
    if method.name == REFERENCE:  # it has a late fusion of its own, whatever the others share
        changes["model"] = config.model.model_copy(update={"fusion": None, "fusion_options": {}})
    return config.model_copy(update=changes)


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


def untrained(model: ModelMaker | None, config: RunConfig) -> Classifier | None:
    """Return the user's classifier of a seed: equal for every method, and a copy, should it be one object."""
    if model is None:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "model"))
        made = model(config.seed)
    if not isinstance(made, Classifier):
        raise ConfigError(f"model: expected a Classifier for seed {config.seed}, got {type(made).__name__}.")
    made = copy.deepcopy(made)
    if config.method.name == REFERENCE:
        made.clear_fusion()
    return made


def is_finished(folder: Path | None, config: RunConfig) -> bool:
    """Return whether the folder holds this very run, finished; :class:`Result` tells of damaged files."""
    path = None if folder is None else folder / "metrics.json"
    try:
        return (
            path is not None
            and path.is_file()
            and json.loads(path.read_text(encoding="utf-8"))["config"] == config.hash()
        )
    except (ValueError, KeyError, TypeError):
        return True


def carry_out_all(
    jobs: Sequence[Job], data: Splits, model: ModelMaker | None, workers: Workers
) -> Iterator[tuple[Result, bool]]:
    """Yield each run's numbers as it finishes, and whether it was trained now."""
    if workers == "ray":
        yield from _on_ray(jobs, data, model)
    elif workers == 1:
        yield from (carry_out(job, data, model) for job in jobs)
    else:
        from joblib import Parallel, cpu_count, delayed

        threads = max(1, cpu_count() // workers)
        # joblib shares large arrays with the workers through one memory map; each redraws its own rows of it.
        parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
        tasks = (delayed(carry_out)(job, data, model, threads) for job in jobs)
        yield from cast(Iterator[tuple[Result, bool]], parallel(tasks))


def _on_ray(jobs: Sequence[Job], data: Splits, model: ModelMaker | None) -> Iterator[tuple[Result, bool]]:
    """Carry out jobs on a Ray cluster, one CPU each; folders must be on a disk that all its machines share.

    Raises:
        ConfigError: Ray is not installed.
    """
    try:
        import ray
        from ray.exceptions import RayTaskError
    except ImportError as error:
        raise ConfigError("workers: Ray is not installed. pip install 'equimodal[ray]'.") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    shared = ray.put((data, model))  # once, not once a job

    def work(job: Job, shared: tuple[Splits, ModelMaker | None]) -> tuple[Result, bool]:
        return carry_out(job, *shared, threads=1)

    remote = ray.remote(work)
    waiting = [remote.remote(job, shared) for job in jobs]
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            try:
                yield from ray.get(done)
            except RayTaskError as error:
                raise error.cause from error
    finally:
        for task in waiting:
            ray.cancel(task, force=True)


def carry_out(job: Job, data: Splits, model: ModelMaker | None, threads: int | None = None) -> tuple[Result, bool]:
    """Return a run's numbers, trained now or found finished, and whether it was trained now."""
    config, folder = job.config, job.folder
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        splits: Splits | None = None
        if job.tuned:
            splits = seed_data(config, data, config.seed)
            where = None if folder is None else folder.parents[1] / TRIALS / folder.parent.name / folder.name
            config = choose(job.tuned, splits, lambda: untrained(model, job.config), where)
        if folder is not None and is_finished(folder, config):
            return Result.from_folder(folder, config.method.label), False
        splits = splits or seed_data(config, data, config.seed)
        run = train(
            config,
            splits,
            untrained(model, config),
            folder=folder,
            resume=folder is not None,
            quiet=True,
            reference=job.reference,
        )
    except Interrupted:
        raise
    except EquimodalError as error:
        raise type(error)(f"{config.method.label}, seed {config.seed}: {error}") from error
    return Result.from_run(run, splits.provenance), True
