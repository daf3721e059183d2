"""The page of a run, a comparison or a study: one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from equimodal._version import __version__
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import notes
from equimodal.comparison.result import MISSING
from equimodal.comparison.study import Study
from equimodal.config.yaml import read_yaml_file
from equimodal.contribution.knowledge import pairs_in_words
from equimodal.display.charts import Chart
from equimodal.display.html import as_yaml, count, write_page
from equimodal.files import safe_name
from equimodal.inference import missing_report, noise_report
from equimodal.reports.comparison_figures import ComparisonCharts
from equimodal.reports.history_figures import updates_taken
from equimodal.reports.missing_figures import missing_chart
from equimodal.reports.noise_figures import noise_charts
from equimodal.reports.run_figures import RunCharts
from equimodal.reports.study_figures import study_charts
from equimodal.reports.verdict import comparison_verdict, run_verdict, study_verdict
from equimodal.tables.table import best_notes
from equimodal.training.memory import highest
from equimodal.training.run import Run

MOST_SUBSETS = 64
"""With more subsets the page shows one line per size; the run's metrics.json has them all."""


def write_run_page(run: Run, path: Path) -> Path:
    """Write a run as one HTML page: verdict, numbers on test, figures, configuration, provenance.

    The page is self-contained: no font and no external address, and a script that sorts its tables. The same run gives
    the same bytes.

    Args:
        run: a finished run.
        path: the file; its folder is made if it does not exist.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    charts = RunCharts(run)
    return write_page(
        path,
        __package__ or "",
        "run",
        title=f"{run.config.method.label} on {run.config.data.title}",
        run=run,
        test=run.test,
        contribution=run.test.contribution,
        pairs=pairs_in_words(run.test.contribution),
        verdict=run_verdict(run),
        styles=charts.styles,
        value=charts.value,
        epochs=len(charts.lines),
        kept=max(charts.kept),
        trials=charts.trials,
        charts=[*charts.all(), *robustness_charts(run)],
        subsets=subset_rows(run.test.subsets),
        missing={percent: run.test.accuracy_missing(percent / 100) for percent in MISSING},
        updates=updates_taken(run.history),
        seconds=sum(line["seconds"]["train"] for line in run.history),
        memory=highest(run.history),
        configuration=as_yaml(run.config.to_dict()),
        provenance=_run_provenance(run),
    )


def robustness_charts(run: Run) -> list[Chart]:
    """Return the figures of `equimodal evaluate --missing` and `--noise`, where those were measured."""
    if run.folder is None:
        return []
    missing, noise = run.folder / missing_report.FILE, run.folder / noise_report.FILE
    charts: list[Chart] = []
    if missing.is_file():
        charts.append(missing_chart(missing_report.read_missing(missing)))
    if noise.is_file():
        charts += noise_charts(noise_report.read_noise(noise), run.model.modalities)
    return charts


def write_comparison_page(comparison: Comparison, path: Path) -> Path:
    """Write a comparison as one HTML page: verdict, table, figures, configuration, provenance.

    Args:
        comparison: methods over seeds.
        path: the file; its folder is made if it does not exist.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    charts, tables = ComparisonCharts(comparison), comparison.tables()
    provenance = {key: value for key, value in comparison.provenance.items() if value is not None}
    configuration = provenance.pop("configuration", {})
    provenance.pop("test_groups", None)  # one number per test sample
    seeds = ", ".join(map(str, comparison.seeds))
    return write_page(
        path,
        __package__ or "",
        "comparison",
        title=f"{count(len(comparison.methods), 'method', 'methods')} on {provenance.get('data', 'data')}",
        comparison=comparison,
        table=charts.table,
        verdict=comparison_verdict(comparison),
        tables=tables,
        best=best_notes(tables),
        notes=notes(comparison),
        styles=charts.styles,
        charts=charts.all(),
        design=comparison.design(),
        configuration=as_yaml(configuration),
        provenance={"seeds": seeds} | provenance,
    )


def write_study_page(study: Study, path: Path) -> Path:
    """Write a study as one HTML page beside the folders of its settings: decisions, tables, ranks.

    Args:
        study: comparisons over settings.
        path: the file; its folder is made if it does not exist.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    tables, methods = study.tables(), count(len(study.methods), "method", "methods")
    return write_page(
        path,
        __package__ or "",
        "study",
        title=f"{methods} in {count(len(study.comparisons), 'setting', 'settings')}",
        study=study,
        verdict=study_verdict(study),
        places={label: safe_name(label) for label in study.comparisons},
        tables=tables,
        best=best_notes(tables),
        charts=study_charts(study),
        provenance={"command": study.command or "from Python", "equimodal": __version__},
    )


def subset_rows(subsets: dict[str, float]) -> list[tuple[str, str]]:
    """Return (subset, accuracy) in words: each subset, or one line per size if there are more than `MOST_SUBSETS`.

    Example:
        >>> subset_rows({"": 0.25, "a": 0.5, "b": 0.75, "a+b": 1.0})[1:]
        [('a', '0.500'), ('b', '0.750'), ('a + b', '1.000')]
    """
    by_size: dict[int, list[tuple[str, float]]] = {}
    for name, value in subsets.items():
        by_size.setdefault(len(name.split("+")) if name else 0, []).append((name, value))
    rows = []
    for size, members in sorted(by_size.items()):
        if len(subsets) <= MOST_SUBSETS:
            rows += [(name.replace("+", " + ") or "none: the label prior", f"{v:.3f}") for name, v in members]
        else:
            values = [value for _, value in members]
            mean = sum(values) / len(values)
            rows.append(
                (
                    f"{count(size, 'modality', 'modalities')} ({count(len(values), 'subset', 'subsets')})",
                    f"{mean:.3f} on average, {min(values):.3f} to {max(values):.3f}",
                )
            )
    return rows


def _run_provenance(run: Run) -> dict[str, Any]:
    """Return a run's provenance: from its folder, or for a run in memory what is known."""
    kept: dict[str, Any] = {"equimodal": __version__, "torch": str(torch.__version__)}
    if run.folder is not None:
        file = run.folder / "config.yaml"
        kept |= read_yaml_file(file).get("provenance") or {}
    return kept | {"config": run.config.hash(), "seed": run.config.seed}
