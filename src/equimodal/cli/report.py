"""``equimodal report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.options import Out


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run, a comparison or a study.")],
    out: Out = None,
) -> None:
    """Write the report of a run, a comparison or a study as one self-contained HTML page."""
    if (folder / "study.json").is_file():
        from equimodal.evaluate.study import load_study as load
    elif (folder / "comparison.json").is_file():
        from equimodal.evaluate.comparison import load_comparison as load
    else:
        from equimodal.training.run import load
    print(load(folder).report(out or folder / "report.html"))
