"""Write any result: as one page, or with everything that goes with it."""

from __future__ import annotations

from pathlib import Path

from equimodal.analyses.figures import analysis_charts, overall_charts
from equimodal.analyses.findings import Findings
from equimodal.analyses.page import write_analysis_page
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.study import Study
from equimodal.display.charts import Chart
from equimodal.display.figure_files import write_figures
from equimodal.errors import ConfigError
from equimodal.files import safe_name, write_text
from equimodal.reports.comparison_figures import ComparisonCharts
from equimodal.reports.pages import robustness_charts, write_comparison_page, write_run_page, write_study_page
from equimodal.reports.run_figures import RunCharts
from equimodal.reports.study_figures import study_charts
from equimodal.training.run import Run

Result = Run | Comparison | Study | Findings
FIGURES = "figures"
"""The folder of figures, beside the page."""


def report(result: Result, path: str | Path, *, figures: bool = False) -> Path:
    """Write a result as one self-contained HTML page, and return its path.

    Args:
        result: a run, a comparison, a study, or the findings of an analysis.
        path: the file; its folder is made if it does not exist.
        figures: also write each figure as SVG and as PDF, with title and legend, into `figures` beside the page.

    Raises:
        ConfigError: if `result` is none of these.
        RunError: if the file could not be written; an existing file is then unchanged.

    Example:
        >>> import tempfile, numpy as np, equimodal as eq
        >>> y = np.arange(60) % 2
        >>> data = eq.Dataset({"a": y[:, None] + np.zeros((60, 2)), "b": np.ones((60, 3))}, y).split(seed=0)
        >>> run = eq.fit(eq.Classifier.for_data(data), data, "joint", epochs=1, quiet=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     eq.report(run, f"{folder}/report.html").name
        'report.html'
    """
    path = Path(path)
    if isinstance(result, Run):
        write_run_page(result, path)
    elif isinstance(result, Comparison):
        write_comparison_page(result, path)
    elif isinstance(result, Study):
        write_study_page(result, path)
    elif isinstance(result, Findings):
        write_analysis_page(result, path)
    else:
        raise ConfigError(
            "report: expected a run, a comparison, a study or the findings of an analysis, got "
            f"{type(result).__name__}."
        )
    if figures:
        write_figures(charts_of(result), path.parent / FIGURES)
    return path


def charts_of(result: Result) -> list[Chart]:
    """Return the figures of a result's page."""
    if isinstance(result, Run):
        return [*RunCharts(result).all(), *robustness_charts(result)]
    if isinstance(result, Comparison):
        return ComparisonCharts(result).all()
    if isinstance(result, Study):
        return study_charts(result)
    return [chart for charts in (overall_charts(result), *analysis_charts(result)) for chart in charts]


def export(result: Comparison | Study | Findings, folder: str | Path) -> list[Path]:
    """Write the page and everything that goes with it into a folder; return the page and tables.

    A comparison: `report.html`, `table.csv`, `table.md` and `table.tex`. A study or an analysis: that for each of its
    settings, in a folder of its own, and `report.html` over all of them; a study also `table.csv` over all settings; an
    analysis also `runs.csv`, `table.md`, and every figure as SVG and PDF in `figures`.

    Raises:
        RunError: if a file could not be written; each file is then complete, either the old one or the new one.
    """
    folder = Path(folder)
    page = report(result, folder / "report.html", figures=isinstance(result, Findings))
    if isinstance(result, Study):
        settings = [path for label, c in result.comparisons.items() for path in export(c, folder / safe_name(label))]
        return [page, result.to_csv(folder / "table.csv"), *settings]
    if isinstance(result, Findings):
        for label, found in result.settings.items():
            export(found.comparison, folder / safe_name(label))
        table = _write_text(folder / "table.md", result.to_markdown())
        return [page, result.to_csv(folder / "runs.csv"), table]
    tables = {"table.md": result.to_markdown(), "table.tex": result.to_latex()}
    return [page, result.to_csv(folder / "table.csv"), *(_write_text(folder / f, text) for f, text in tables.items())]


def _write_text(path: Path, text: str) -> Path:
    write_text(path, text, then="write it again")
    return path
