"""A run measured where modalities are missing or noisy, with the files of it, and the run's own page written again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.display.charts import Chart
from equimodal.display.figure_files import write_figures
from equimodal.errors import ConfigError
from equimodal.inference import missing_report, noise_report
from equimodal.inference.evaluation import Chosen, rows_to_measure
from equimodal.inference.missing import measure_missing
from equimodal.inference.noise import measure_noise
from equimodal.reports.missing_figures import missing_chart
from equimodal.reports.noise_figures import noise_charts
from equimodal.reports.pages import write_run_page
from equimodal.training.run import Run
from equimodal.training.run import load as load_run


@dataclass(frozen=True)
class Reported:
    """What was measured, and the files that were written."""

    report: missing_report.MissingReport | noise_report.NoiseReport
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what was measured as JSON-safe values."""
        return self.report.to_dict()

    def __str__(self) -> str:
        return f"{self.report}\n\nwritten: {', '.join(map(str, self.files))}"


def report_missing(
    folder: Path,
    data: str | None = None,
    *,
    split: str | None = None,
    present: Collection[str] | None = None,
    trust: Collection[str] = (),
    out: Path | None = None,
) -> Reported:
    """Measure a run's model where entries are missing, and write `missing.csv` and its figure.

    Where they go into the run's folder, they are part of the run: its page, if it has one, is written again with them.

    Args:
        folder: the run's folder.
        data: see `equimodal.inference.evaluation.evaluate_run`, and so for `split`, `present` and `trust`.
        split: one part of data that are split.
        present: use these modalities only.
        trust: modules whose classes may be imported.
        out: the folder of the files; None: the run's.

    Raises:
        ConfigError: other rows than the run's own test part are measured, and no folder is named for the files.
        RunError: a file cannot be written.
    """
    run, chosen = chosen_rows(folder, data, split, present, trust, out)
    found, table = measure_missing(run, chosen, seed=run.config.seed), (out or folder) / missing_report.FILE
    missing_report.save_missing(found, table)
    return Reported(found, (table, *_drawn(run, folder, [missing_chart(found)], out)))


def report_noise(
    folder: Path,
    data: str | None = None,
    *,
    split: str | None = None,
    present: Collection[str] | None = None,
    trust: Collection[str] = (),
    out: Path | None = None,
) -> Reported:
    """Measure a run's model with noise on one modality at a time; write `noise.csv` and a figure of each kind of noise.

    See `report_missing` for arguments and errors.
    """
    run, chosen = chosen_rows(folder, data, split, present, trust, out)
    found, table = measure_noise(run, chosen, seed=run.config.seed), (out or folder) / noise_report.FILE
    noise_report.save_noise(found, table)
    return Reported(found, (table, *_drawn(run, folder, noise_charts(found, run.model.modalities), out)))


def _drawn(run: Run, folder: Path, charts: Sequence[Chart], out: Path | None) -> list[Path]:
    """Write the figures, and the run's page again where they are part of the run; return the paths."""
    page, figures = folder / "report.html", write_figures(charts, out or folder)
    return [*figures, write_run_page(run, page)] if out is None and page.is_file() else figures


def chosen_rows(
    folder: Path,
    data: str | None,
    split: str | None,
    present: Collection[str] | None,
    trust: Collection[str],
    out: Path | None,
) -> tuple[Run, Chosen]:
    """Return a run, and the rows to measure it on; see `report_missing`, whose arguments and errors these are."""
    run = load_run(folder, trust=trust)
    chosen = rows_to_measure(run, data, split=split, present=present)
    if out is None and not chosen.own:
        raise ConfigError(
            "--out: expected a folder for the files. The run's own folder takes those of its own test part with all "
            "its modalities only."
        )
    return run, chosen
