"""``equimodal compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from equimodal.cli.options import Data, Out, Quiet, Recipe, Settings


def compare(
    recipe: Recipe = None,
    data: Data = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            metavar="NAME[:KEY=VALUE,...]",
            help="A method to compare, for instance -m joint -m paper:order=random; the first is the baseline.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many seeds; each redraws the splits.", min=1, show_default=False)
    ] = None,
    settings: Settings = None,
    out: Out = None,
    workers: Annotated[int, typer.Option(help="Processes that train side by side.", min=1)] = 1,
    quiet: Quiet = False,
) -> None:
    """Compare methods over seeds: means, intervals, paired differences, and a report.

    Finished runs in the folder (default: comparisons/DATA) are kept and interrupted ones go on, so the same
    command continues after any stop.
    """
    import shlex
    import sys
    from pathlib import Path

    from equimodal.cli.setup import configure_comparison
    from equimodal.data.catalogue import load
    from equimodal.evaluate.compare import run_comparison
    from equimodal.files import safe_name

    changes = [*(settings or []), *([] if seeds is None else [f"compare.seeds={seeds}"])]
    config = configure_comparison(recipe, data, changes, method)
    splits = load(config.data.name, split_seed=config.data.split_seed)
    folder = out or Path("comparisons") / safe_name(splits.name)
    comparison = run_comparison(
        config, splits, out=folder, workers=workers, quiet=quiet, command=f"equimodal {shlex.join(sys.argv[1:])}"
    )
    page = comparison.report(folder / "report.html")
    print(comparison)
    print(f"\nruns in {folder}, report {page}")
