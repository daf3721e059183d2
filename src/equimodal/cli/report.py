"""`equimodal report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.options import Out, Trust


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run, comparison, study or analysis.")],
    out: Out = None,
    figures: Annotated[
        bool,
        typer.Option("--figures", help="Also write every figure as SVG and PDF, into 'figures' beside it."),
    ] = False,
    trust: Trust = None,
) -> None:
    """Write the report of a run, a comparison, a study or an analysis as one self-contained HTML page."""
    from equimodal.board.finding import kind_of
    from equimodal.reports.write import FIGURES
    from equimodal.reports.write import report as write_report

    kind = kind_of({path.name for path in folder.iterdir()} if folder.is_dir() else set())
    if kind == "analysis":
        from equimodal.analyses.findings import load_findings as load
    elif kind == "study":
        from equimodal.comparison.study import load_study as load
    elif kind == "comparison":
        from equimodal.comparison.comparison import load_comparison as load
    else:
        from functools import partial

        from equimodal.training.run import load as load_run

        load = partial(load_run, trust=trust or ())
    page = write_report(load(folder), out or folder / "report.html", figures=figures)
    print(page)
    if figures:
        print(page.parent / FIGURES)
