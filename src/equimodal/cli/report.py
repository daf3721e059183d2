"""``equimodal report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.options import Out


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run, or of a comparison.")],
    out: Out = None,
) -> None:
    """Write the report of a run or a comparison as one self-contained HTML page."""
    if (folder / "comparison.json").is_file():
        from equimodal.evaluate.comparison import load_comparison as load
    else:
        from equimodal.training.run import load
    print(load(folder).report(out or folder / "report.html"))
