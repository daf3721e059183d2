"""The runs of a comparison: their configurations, and running them one by one, in several processes, or on Ray."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import nn

from equimodal.comparison.result import Failure, Result
from equimodal.comparison.tuning import candidates, choose, tuned_values
from equimodal.config.method import MethodSpec
from equimodal.config.names import Names
from equimodal.config.run import RunConfig
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, Diverged, EquimodalError, Interrupted
from equimodal.extras import need
from equimodal.methods.base import Method
from equimodal.models.classifier import Classifier
from equimodal.models.state import copy_of
from equimodal.seeds import seeded
from equimodal.training.ability import Reference
from equimodal.training.fit import set_up, train
from equimodal.training.given import GivenMethod
from equimodal.training.loop import Trainer
from equimodal.training.names import NAMES, RegisteredNames
from equimodal.training.run import METRICS, REFERENCE

ModelMaker = Callable[[int], Classifier]
"""From a seed to an untrained classifier."""
EncoderMaker = Callable[[], nn.Module]
"""Returns a new encoder."""
Encoders = Mapping[str, nn.Module | EncoderMaker]
"""By modality an encoder of the user, or a function that makes one."""
Workers = int | Literal["ray"]

TRIALS = "_tuning"
"""Folder of the candidates that were tried, beside the folders of the methods."""


def parse_workers(text: str) -> Workers:
    """Return the value of `--workers`.

    Raises:
        ConfigError: it is not a whole number above 0, and not "ray".
    """
    if text == "ray":
        return "ray"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--workers: expected a whole number above 0, or 'ray', got '{text}'.")


@dataclass(frozen=True)
class Job:
    """One run of a comparison.

    Args:
        config: its configuration.
        folder: of the run; None: in memory.
        reference: what each modality can do alone; None for the ensemble, which measures it, and in seeds whose
            ensemble diverged.
        candidates: the configurations from which one is chosen on validation; the first is `config`. Empty: nothing is
            tuned.
    """

    config: RunConfig
    folder: Path | None
    reference: Reference | None
    candidates: tuple[RunConfig, ...] = ()

    @property
    def trials(self) -> Path | None:
        """Folder of the candidates that are tried."""
        folder = self.folder
        return None if folder is None else folder.parents[1] / TRIALS / folder.parent.name / folder.name


def make_job(
    config: RunConfig,
    method: MethodSpec,
    seed: int,
    folder: Path | None,
    reference: Reference | None,
    names: Names = NAMES,
) -> Job:
    """Return the job of one method and seed of a comparison."""
    run = run_config(config, method, seed)
    tuning = config.compare.tune
    tried = () if tuning is None else tuple(candidates(run, method.label, tuning, names))
    return Job(run, folder, reference, tried)


def run_config(config: RunConfig, method: MethodSpec, seed: int) -> RunConfig:
    """Return the configuration of one method and seed of a comparison."""
    changes: dict[str, Any] = {"method": method, "seed": seed, "reference": False}
    registered = [listed for listed in config.compare.methods if listed.name in NAMES.methods()]
    if len(registered) < len(config.compare.methods):  # a run knows its own class, not those of the others
        changes["compare"] = config.compare.model_copy(update={"methods": registered})
    if config.compare.redraw == "split":
        changes["data"] = config.data.model_copy(update={"split_seed": seed})
    if method.name == REFERENCE:  # it always has its own late fusion
        changes["model"] = config.model.model_copy(update={"fusion": None, "fusion_options": {}})
    return config.model_copy(update=changes)


def seed_data(config: RunConfig, data: Splits, seed: int) -> Splits:
    """Return the data of one seed: redrawn, then made scarce.

    That is what `equimodal.data.catalogue.load` returns for the run's own configuration. With redrawn
    splits the labelled rows are drawn from each training part; on a fixed split they are the same for
    every seed.

    Args:
        config: of the comparison; `data.labels`, `data.split_seed` and `compare.redraw` are read.
        data: with all its training rows.
        seed: of the run.
    """
    if config.compare.redraw == "split":
        return data.with_settings(seed, config.data.labels)
    labels = config.data.labels
    return data if labels is None else data.scarce(labels, config.data.split_seed or 0)


@dataclass(frozen=True)
class Making:
    """How classifier and method of a run are made, where the configuration alone does not say it.

    Args:
        model: called with the seed, returns the whole classifier.
        encoders: modules by modality, or functions that make them; see `classifier`.
        methods: classes that are not registered, by the name that the configuration gives them.
    """

    model: ModelMaker | None = None
    encoders: Encoders | None = None
    methods: Mapping[str, type[Method]] = field(default_factory=dict)

    @property
    def names(self) -> RegisteredNames:
        """The names that the configuration may use."""
        return RegisteredNames(self.methods)

    def set_up(self, config: RunConfig, data: Splits, folder: Path | None = None, *, quiet: bool = True) -> Trainer:
        """Return what a run needs, ready to begin; see `equimodal.training.fit.set_up`."""
        return set_up(config, data, self.classifier(config, data), self.given(config), folder=folder, quiet=quiet)

    def given(self, config: RunConfig) -> GivenMethod | None:
        """Return the method of a run; None: the configuration names it."""
        name = config.method.name
        return GivenMethod({"name": name}, self.methods[name]) if name in self.methods else None

    def classifier(self, config: RunConfig, data: Splits) -> Classifier | None:
        """Return a new classifier for a run; None: make it as configured.

        All methods of a seed get the same initial weights: torch's generator is seeded before a function of the user
        is called, and a module or classifier is copied. Encoders are fitted to `data`, the split of the run's seed:
        the others get its shapes and training statistics.

        Args:
            config: of the run.
            data: its split.
        """
        if self.model is None and self.encoders is None:
            return None
        with seeded(config.seed, "model"):
            if self.model is not None:
                made = self.model(config.seed)
            else:
                given = {name: _encoder(name, encoder) for name, encoder in (self.encoders or {}).items()}
                encoders = {**config.model.encoders, **given}
                made = Classifier.for_data(data, encoders, width=config.model.width, seed=config.seed)
        if not isinstance(made, Classifier):
            raise ConfigError(f"model: expected a Classifier for seed {config.seed}, got {type(made).__name__}.")
        made = copy_of(made)  # the user's function may return one object for all runs
        if config.method.name == REFERENCE:
            made.clear_fusion()
        return made


def _encoder(modality: str, given: nn.Module | EncoderMaker) -> nn.Module:
    made = copy_of(given) if isinstance(given, nn.Module) else given()
    if not isinstance(made, nn.Module):
        raise ConfigError(f"encoders.{modality}: expected a function that returns a module, got {type(made).__name__}.")
    return made


def is_finished(folder: Path | None, config: RunConfig) -> bool:
    """Return whether the folder holds this run, finished; `Result.from_folder` reports damaged files."""
    path = None if folder is None else folder / METRICS
    try:
        return (
            path is not None
            and path.is_file()
            and json.loads(path.read_text(encoding="utf-8"))["config"] == config.hash()
        )
    except (ValueError, KeyError, TypeError):
        return True


def run_jobs(
    jobs: Sequence[Job], data: Splits, making: Making, workers: Workers
) -> Iterator[tuple[Result | Failure, bool]]:
    """Yield each run's outcome as it finishes, and whether it was trained now.

    Args:
        jobs: the runs.
        data: with all its training rows, see `seed_data`.
        making: how their classifiers are made.
        workers: number of processes, or "ray".
    """
    if workers != 1:  # a process that ran a comparison before may be in another folder by now
        jobs = [replace(job, folder=None if job.folder is None else job.folder.absolute()) for job in jobs]
    if workers == "ray":
        yield from _on_ray(jobs, data, making)
    elif workers == 1:
        yield from (run_job(job, data, making) for job in jobs)
    else:
        from joblib import Parallel, cpu_count, delayed

        threads = max(1, cpu_count() // workers)
        # joblib writes large arrays to one memory map, which all workers read; each redraws its own rows of it.
        parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
        tasks = (delayed(run_job)(job, data, making, threads) for job in jobs)
        yield from cast(Iterator[tuple[Result | Failure, bool]], parallel(tasks))


def _on_ray(jobs: Sequence[Job], data: Splits, making: Making) -> Iterator[tuple[Result | Failure, bool]]:
    """Run jobs on a Ray cluster, one CPU each; folders must be on a disk that all its machines share.

    Raises:
        ConfigError: Ray is not installed.
    """
    ray = need("ray")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    shared = ray.put((data, making))  # once, not once per job

    def work(job: Job, shared: tuple[Splits, Making]) -> tuple[Result | Failure, bool]:
        return run_job(job, *shared, threads=1)

    remote = ray.remote(work)
    waiting = [remote.remote(job, shared) for job in jobs]
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            try:
                yield from ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
    finally:
        for task in waiting:
            ray.cancel(task, force=True)


def run_job(job: Job, data: Splits, making: Making, threads: int | None = None) -> tuple[Result | Failure, bool]:
    """Return a run's outcome, and whether it was trained now: a finished run is read from its folder.

    A run that diverges is an outcome, not an error. Given again, it resumes at its last checkpoint, and diverges again.

    Args:
        job: the run.
        data: see `run_jobs`.
        making: how its classifier is made.
        threads: of torch; None: as they are.

    Raises:
        EquimodalError: anything else that stops the run, with its method and seed.
    """
    config, folder = job.config, job.folder
    label, seed = config.method.label, config.seed
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        splits, tuned = None, None
        if job.candidates:
            drawn = splits = seed_data(config, data, seed)
            chosen = choose(
                job.candidates,
                drawn,
                lambda tried, where: making.set_up(tried, drawn, where),
                job.trials,
            )
            config, tuned = chosen, tuned_values(job.candidates, chosen)
        if folder is not None and is_finished(folder, config):
            return Result.from_folder(folder, label, tuned), False
        splits = splits or seed_data(config, data, seed)
        run = train(
            config,
            splits,
            making.classifier(config, splits),
            given=making.given(config),
            folder=folder,
            resume=folder is not None,
            quiet=True,
            reference=job.reference,
        )
    except Interrupted:
        raise
    except Diverged as error:
        return Failure(label, seed, str(error)), True
    except EquimodalError as error:
        raise type(error)(f"{label}, seed {seed}: {error}") from error
    return Result.from_run(run, splits.provenance, tuned), True
