"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.errors import ConfigError

Recipe = Annotated[
    str | None,
    typer.Argument(
        metavar="[RECIPE]",
        help="A recipe, a method's name or a YAML file (see 'equimodal list'). Default: equilibrium on emoji.",
        show_default=False,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        help="A built-in data set, or the path of yours (folder, .npz or YAML).",
        show_default=False,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Change one setting, for instance -s training.epochs=20. Repeatable.",
        show_default=False,
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-m",
        metavar="NAME[:KEY=VALUE,...]",
        help="A method to compare, for instance -m joint -m paper:order=random; the first is the baseline. Repeatable.",
        show_default=False,
    ),
]
Seeds = Annotated[int | None, typer.Option(help="How many seeds; each redraws the splits.", min=1, show_default=False)]
WorkerCount = Annotated[
    str, typer.Option(metavar="N|ray", help="Processes that train side by side, or 'ray' for a Ray cluster.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write.", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
Present = Annotated[
    str | None,
    typer.Option(
        "--present",
        "-p",
        metavar="NAMES",
        help="Use these modalities only, separated by commas, as if the others were missing.",
        show_default=False,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="One part of data that are split: train, validation or test. Default: measure test, predict all.",
        show_default=False,
    ),
]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="MODULE",
        help="Let the run import this module for its encoders, which runs the module's code. Repeatable.",
        show_default=False,
    ),
]


def names(text: str | None) -> list[str] | None:
    """Return the names in a list separated by commas.

    Raises:
        ConfigError: there is none.
    """
    if text is None:
        return None
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise ConfigError(f"--present: names no modality, got '{text}'. Leave it out to use all that are there.")
    return found
