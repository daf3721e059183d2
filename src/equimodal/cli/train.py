"""`equimodal train`."""

from __future__ import annotations

from typing import Annotated

import typer

from equimodal.cli.options import Data, Out, Quiet, Recipe, Settings


def train(
    recipe: Recipe = None,
    data: Data = None,
    settings: Settings = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in the folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train one model, measure it on test, and write its report.

    The run's folder (default: runs/DATA-METHOD) holds configuration, history, metrics, weights and report.
    """
    from pathlib import Path

    from equimodal.cli.setup import configure
    from equimodal.data.catalogue import load_configured
    from equimodal.files import safe_name
    from equimodal.reports.write import report as write_report
    from equimodal.training.fit import train as run_training

    config = configure(recipe, data, settings)
    splits = load_configured(config.data)
    folder = out or Path("runs") / safe_name(f"{splits.name}-{config.method.name}")
    run = run_training(config, splits, folder=folder, resume=resume, quiet=quiet)
    page = write_report(run, folder / "report.html")
    print(run)
    print(f"run in {folder}, report {page}")
