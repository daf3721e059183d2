"""Run an analysis: a study of the methods it makes, then its own reading of the finished runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from equimodal.analyses.arms import METHODS, Arm
from equimodal.analyses.base import Analysis
from equimodal.analyses.findings import Findings
from equimodal.analyses.result import SettingResult
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.jobs import Workers, seed_data
from equimodal.comparison.study import run_settings, setting_config
from equimodal.config.compare import Setting
from equimodal.config.method import MethodSpec
from equimodal.config.run import RunConfig
from equimodal.data.catalogue import load_unreduced
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.files import safe_name
from equimodal.models.imported import modules_named
from equimodal.training.run import load as load_run

MakeAnalysis = Callable[[Sequence[MethodSpec]], Analysis]
"""Makes the analysis of some recipes: the class of an analysis, or a function that calls it with options."""


def run_analysis(
    make: MakeAnalysis,
    config: RunConfig,
    *,
    methods: Sequence[str] | None = METHODS,
    out: str | Path,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Findings:
    """Run an analysis in each setting that a configuration of `compare` describes.

    The recipes are those of `compare.methods` that can be analysed, or the configuration's `method` if none is listed.
    All runs are kept in `out`; finished ones are kept and interrupted ones are resumed, as in a study. Then each run
    is loaded and read.

    Args:
        make: the class of an analysis, or a function that makes one from recipes.
        config: as for `compare`.
        methods: names of those that can be analysed; None: all.
        out: the folder.
        workers: see `equimodal.comparison.compare.run_comparison`; on Ray, runs are read in this process.
        quiet: print nothing.
        command: the command line that was typed, for provenance.

    Raises:
        ConfigError: if a method has nothing to analyse, or the configuration is wrong.
        RunError: if the folder holds something else.
        Interrupted: on Ctrl-C; the same call resumes.
    """
    plain, passed_over = prepare(config, methods)
    analysis = make(plain.compare.methods)
    if not quiet:
        tell_ignored(passed_over)
    made: dict[tuple[str, ...], tuple[list[Arm], list[str]]] = {}

    def trained(modalities: Sequence[str]) -> list[MethodSpec]:
        arms, left_out = made[tuple(modalities)] = analysis.arms(modalities)
        if not arms:
            raise ConfigError(left_out)
        return [arm.method for arm in arms]

    comparisons = run_settings(
        plain,
        out=out,
        recipe=f"{analysis.kind}-analysis.yaml",
        methods=trained,
        workers=workers,
        quiet=quiet,
        command=command,
    )
    results = {}
    for setting in plain.compare.settings:
        comparison = comparisons[setting.label]
        arms, left_out = made[comparison.modalities]
        if not quiet:
            tell_reading(setting.label)
        folder = Path(out) / safe_name(setting.label)
        found = setting_config(plain, setting)
        readings = read_all(analysis, found, load_unreduced(found.data), comparison, folder, workers)
        results[setting.label] = SettingResult(comparison, tuple(arms), tuple(left_out), readings)
    findings = Findings(analysis.kind, results, tuple(passed_over), command)
    findings.save(out)
    return findings


def tell_ignored(passed_over: Sequence[str]) -> None:
    """Say on standard error what of the configuration is not part of an analysis, if anything."""
    if passed_over:
        print(f"Not part of this analysis: {'; '.join(passed_over)}.", file=sys.stderr)


def tell_reading(setting: str) -> None:
    """Say on standard error that the runs of a setting are read now."""
    print(f"{setting}: reading the runs", file=sys.stderr, flush=True)


def prepare(config: RunConfig, methods: Sequence[str] | None = METHODS) -> tuple[RunConfig, list[str]]:
    """Return the configuration of an analysis, recipes as methods and data as settings, and what is ignored.

    Ignored is what concerns methods that an analysis does not train: other methods, comparisons declared between them,
    options tuned by their labels.

    Args:
        config: as for `compare`.
        methods: names of those that can be analysed; None: all.
    """
    compare, passed_over = config.compare, []
    recipes = [method for method in compare.methods if methods is None or method.name in methods]
    others = [method.label for method in compare.methods if method not in recipes]
    if others and recipes:
        passed_over.append(f"the methods {', '.join(others)}")
    changes: dict[str, Any] = {"methods": recipes or compare.methods or [config.method]}
    if compare.primary:
        passed_over.append("compare.primary")
        changes["primary"] = []
    if compare.tune is not None and compare.tune.own:
        passed_over.append("compare.tune.own")
        changes["tune"] = compare.tune.model_copy(update={"own": {}}) if compare.tune.grid else None
    if not compare.settings:
        changes["settings"] = [Setting(label=config.data.title)]
    return config.model_copy(update={"compare": compare.model_copy(update=changes)}), passed_over


def read_all(
    analysis: Analysis, config: RunConfig, data: Splits, comparison: Comparison, folder: Path, workers: Workers
) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Return what the analysis reads from the runs of each method, by its label, in the order of the seeds.

    A run that diverged has no model to read: its reading is empty.

    Args:
        analysis: reads one run.
        config: of the comparison.
        data: with all its training rows.
        comparison: whose runs are finished.
        folder: the comparison's.
        workers: processes that read side by side; on Ray one, this one.
    """
    runs = [(label, result.seed) for label in comparison.methods for result in comparison.results[label]]
    tasks = [(analysis, folder / safe_name(label) / f"seed-{seed}", config, data, seed) for label, seed in runs]
    if workers in (1, "ray"):
        read = [read_run(*task) for task in tasks]
    else:
        from joblib import Parallel, cpu_count, delayed

        threads = max(1, cpu_count() // int(workers))
        read = cast(list[dict[str, Any]], Parallel(n_jobs=workers)(delayed(read_run)(*task, threads) for task in tasks))
    by_run = dict(zip(runs, read, strict=True))
    return {label: tuple(by_run.get((label, seed), {}) for seed in comparison.seeds) for label in comparison.methods}


def read_run(
    analysis: Analysis, folder: Path, config: RunConfig, data: Splits, seed: int, threads: int | None = None
) -> dict[str, Any]:
    """Return what the analysis reads from one finished run."""
    if threads is not None:
        torch.set_num_threads(threads)
    run = load_run(folder, trust=modules_named(config.model.encoders))  # what trained it is the user's own word
    return analysis.read(run, lambda: seed_data(config, data, seed))
