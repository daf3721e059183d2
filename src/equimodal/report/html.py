"""From a run, a comparison, a study or an analysis to one self-contained HTML page."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from equimodal._version import __version__
from equimodal.evaluate.tables import BEST, blocks, notes
from equimodal.evaluate.tables.study import study_blocks
from equimodal.evaluate.words import interval, number
from equimodal.files import safe_name, write_text
from equimodal.report.analysis_figures import analysis_charts, overall_charts
from equimodal.report.charts import Chart
from equimodal.report.comparison_figures import ComparisonCharts
from equimodal.report.drawing import draw
from equimodal.report.run_figures import RunCharts, updates_taken
from equimodal.report.study_figures import study_charts
from equimodal.report.verdict import comparison_verdict, run_verdict, study_verdict
from equimodal.training.memory import highest
from equimodal.yaml_text import read_yaml_file

if TYPE_CHECKING:
    from equimodal.evaluate.analyses.findings import Findings
    from equimodal.evaluate.comparison import Comparison
    from equimodal.evaluate.study import Study
    from equimodal.training.run import Run

MOST_SUBSETS = 64
"""Beyond so many subsets the page shows a line for each size; the run's metrics.json has them all."""


def write_run_report(run: Run, path: Path) -> Path:
    """Write a run as one HTML page: verdict, numbers on test, figures, configuration, provenance.

    The page needs nothing but itself: no script, no font, no address. The same run gives the same bytes.

    Args:
        run: a finished run.
        path: the file; its folder is made if need be.

    Returns:
        The path.

    Raises:
        RunError: the file could not be written.
    """
    charts = RunCharts(run)
    return _write(
        path,
        "run",
        title=f"{run.config.method.label} on {run.config.data.name}",
        run=run,
        test=run.test,
        contribution=run.test.contribution,
        verdict=run_verdict(run),
        styles=charts.styles,
        value=charts.value,
        epochs=len(charts.lines),
        kept=max(charts.kept),
        trials=charts.trials,
        charts=charts.all(),
        subsets=subset_rows(run.test.subsets),
        updates=updates_taken(run.history),
        seconds=sum(line["seconds"]["train"] for line in run.history),
        memory=highest(run.history),
        configuration=_as_yaml(run.config.to_dict()),
        provenance=_run_provenance(run),
    )


def write_comparison_report(comparison: Comparison, path: Path) -> Path:
    """Write a comparison as one HTML page: verdict, table, figures, configuration, provenance.

    Args:
        comparison: methods over seeds.
        path: the file; its folder is made if need be.

    Returns:
        The path.

    Raises:
        RunError: the file could not be written.
    """
    charts = ComparisonCharts(comparison)
    provenance = dict(comparison.provenance)
    configuration = provenance.pop("configuration", {})
    seeds = ", ".join(map(str, comparison.seeds))
    return _write(
        path,
        "comparison",
        title=f"{len(comparison.methods)} methods on {provenance.get('data', 'data')}",
        comparison=comparison,
        table=charts.table,
        verdict=comparison_verdict(comparison),
        blocks=blocks(comparison),
        best=BEST,
        notes=notes(comparison),
        styles=charts.styles,
        charts=charts.all(),
        configuration=_as_yaml(configuration),
        provenance={"seeds": seeds} | {key: value for key, value in provenance.items() if value is not None},
    )


def write_study_report(study: Study, path: Path) -> Path:
    """Write a study as one HTML page beside the folders of its settings: what was decided, tables, ranks.

    Args:
        study: comparisons over settings.
        path: the file; its folder is made if need be.

    Returns:
        The path.

    Raises:
        RunError: the file could not be written.
    """
    return _write(
        path,
        "study",
        title=f"{len(study.methods)} methods in {_count(len(study.comparisons), 'setting', 'settings')}",
        study=study,
        verdict=study_verdict(study),
        places={label: safe_name(label) for label in study.comparisons},
        blocks=study_blocks(study),
        best=BEST,
        charts=study_charts(study),
        provenance={"command": study.command or "from Python", "equimodal": __version__},
    )


def write_analysis_report(findings: Findings, path: Path) -> Path:
    """Write an analysis as one HTML page beside the folders of its settings: sentences, tables, figures of each.

    Args:
        findings: what the analysis found.
        path: the file; its folder is made if need be.

    Returns:
        The path.

    Raises:
        RunError: the file could not be written.
    """
    parts = findings.parts()
    return _write(
        path,
        "analysis",
        title=findings.analysis.title,
        findings=findings,
        overall=[replace(whole.block(), title=recipe) for recipe, whole in findings.overall().items()],
        overall_charts=overall_charts(findings),
        sections=list(zip(parts, analysis_charts(findings), strict=True)),
        places={label: safe_name(label) for label in findings.settings},
        provenance={
            "command": findings.command or "from Python",
            **({"not part of it": "; ".join(findings.passed_over)} if findings.passed_over else {}),
            "equimodal": __version__,
        },
    )


def _write(path: Path, template: str, **content: Any) -> Path:
    page = _environment().get_template(f"{template}.html.jinja").render(**content)
    write_text(path, page, then="write it again")
    return path


def subset_rows(subsets: dict[str, float]) -> list[tuple[str, str]]:
    """Return (subset, accuracy) in words: each subset, or for more than 64 a line for each size.

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
                    f"{_count(size, 'modality', 'modalities')} ({_count(len(values), 'subset', 'subsets')})",
                    f"{mean:.3f} on average, {min(values):.3f} to {max(values):.3f}",
                )
            )
    return rows


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _run_provenance(run: Run) -> dict[str, Any]:
    """Return where a run comes from: as its folder says, or for a run in memory as far as it is known."""
    kept: dict[str, Any] = {"equimodal": __version__, "torch": str(torch.__version__)}
    if run.folder is not None:
        file = run.folder / "config.yaml"
        kept |= read_yaml_file(file).get("provenance") or {}
    return kept | {"config": run.config.hash(), "seed": run.config.seed}


def _as_yaml(plain: Any) -> str:
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _figure(chart: Chart) -> Markup:
    return Markup(draw(chart))  # drawn by us; matplotlib and ElementTree escape its text


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("equimodal.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "interval": interval, "figure": _figure, "yaml": _as_yaml}
    return environment
