"""Methods by seeds: each seed one split and one start for all methods, the numbers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from equimodal.comparison.comparison import Comparison, Result
from equimodal.comparison.folder import open_folder, provenance
from equimodal.comparison.jobs import Job, ModelMaker, Workers, carry_out_all, is_finished, make_job
from equimodal.comparison.preflight import check_names, ensemble_and_others, rehearse
from equimodal.comparison.progress import Progress, announce
from equimodal.config.run import MethodSpec, RunConfig, build_config
from equimodal.data.splits import Splits, check_splits
from equimodal.errors import ConfigError, Interrupted
from equimodal.files import safe_name
from equimodal.training.names import NAMES, resolve


def compare(
    data: Splits,
    methods: Sequence[str | Mapping[str, Any] | MethodSpec],
    *,
    seeds: int = 5,
    model: ModelMaker | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    redraw: Literal["split", "none"] = "split",
    workers: Workers = 1,
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
        workers: processes that train side by side, or "ray" for a Ray cluster. Results do not depend on it but
            for float rounding where torch gets another number of threads. Methods of your own must then be
            importable (an entry point).
        quiet: say nothing while training.
        measure: options of :class:`~equimodal.config.run.MeasureConfig`.
        training: options of :class:`~equimodal.config.run.TrainingConfig`: ``epochs=30`` and so on.

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
        },
        NAMES,
    )
    return run_comparison(config, data, model=model, out=out, resume=resume, workers=workers, quiet=quiet)


def run_comparison(
    config: RunConfig,
    data: Splits,
    *,
    model: ModelMaker | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    workers: Workers = 1,
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
    config = resolve(config)
    check_names(config, model, workers)
    seconds = rehearse(config, data, model, timed=not quiet)
    folder = None if out is None else Path(out)
    if not quiet:
        announce({data.name: time_left(config, folder, seconds)}, workers)
    return carry_out(config, data, model, folder, resume=resume, workers=workers, quiet=quiet, command=command)


def time_left(config: RunConfig, folder: Path | None, seconds: Mapping[str, float]) -> tuple[int, int, float]:
    """Return how many runs a comparison has, how many are finished, and the seconds of computing that are left.

    Args:
        config: of the comparison.
        folder: where it is kept, or None.
        seconds: of one run, by method's label.
    """
    total, finished, left = 0, 0, 0.0
    for job in _jobs(config, folder, [method for wave in ensemble_and_others(config) for method in wave], {}):
        total += 1
        if any(is_finished(job.folder, found) for found in job.tuned or (job.config,)):
            finished += 1
        else:
            left += seconds[job.config.method.label] * (1 + len(job.tuned))
    return total, finished, left


def carry_out(
    config: RunConfig,
    data: Splits,
    model: ModelMaker | None,
    folder: Path | None,
    *,
    resume: bool,
    workers: Workers,
    quiet: bool,
    command: str | None,
) -> Comparison:
    """Carry out a comparison that was checked; see :func:`run_comparison`."""
    if folder is not None:  # only now: a mistake found before leaves no folder behind
        open_folder(folder, config, data, resume)
    ensemble, others = ensemble_and_others(config)
    seeds = range(config.seed, config.seed + config.compare.seeds)
    results: dict[tuple[str, int], Result] = {}
    with Progress(len(seeds) * (1 + len(others)), quiet) as progress:
        try:
            for wave in (ensemble, others):  # the first wave's results are the second's reference
                jobs = _jobs(config, folder, wave, {seed: r.reference for (_, seed), r in results.items()})
                for result, trained in carry_out_all(jobs, data, model, workers):
                    results[result.method, result.seed] = result
                    progress.finished(result, trained)
        except (Interrupted, KeyboardInterrupt) as error:
            if folder is None:
                raise
            raise Interrupted(
                f"Interrupted: {progress.done} of {progress.total} runs are finished. "
                f"Everything is kept in {folder}; the same command goes on."
            ) from error
    methods = config.compare.methods
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


def _jobs(
    config: RunConfig, folder: Path | None, methods: Sequence[MethodSpec], references: Mapping[int, Any]
) -> list[Job]:
    return [
        make_job(
            config,
            method,
            seed,
            None if folder is None else folder / safe_name(method.label) / f"seed-{seed}",
            references.get(seed),
        )
        for seed in range(config.seed, config.seed + config.compare.seeds)
        for method in methods
    ]
