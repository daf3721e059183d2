"""The program `equimodal`: its commands, and what a user's mistake ends in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from equimodal._version import __version__
from equimodal.cli.analyse import analyse
from equimodal.cli.board import board
from equimodal.cli.compare import compare
from equimodal.cli.data import data
from equimodal.cli.evaluate import evaluate
from equimodal.cli.explain import explain
from equimodal.cli.features import features
from equimodal.cli.list import list_known
from equimodal.cli.predict import predict
from equimodal.cli.prepare import prepare
from equimodal.cli.report import report
from equimodal.cli.terminal import print_anywhere
from equimodal.cli.train import train
from equimodal.errors import EquimodalError, Interrupted

app = typer.Typer(
    name="equimodal",
    help="Measure how much each modality contributes, train the weak ones first, and show what that bought.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(prepare)
app.add_typer(data)
app.command()(train)
app.command()(compare)
app.add_typer(analyse)
app.command()(evaluate)
app.command()(explain)
app.command()(predict)
app.command()(report)
app.command()(board)
app.add_typer(features)
app.command("list")(list_known)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"equimodal {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Shared by all commands."""


def main() -> None:
    """Run the program; a user's mistake is one message on standard error and exit code 2, Ctrl-C is 130.

    See `equimodal.cli.outcome` for 3.
    """
    print_anywhere()
    if "" not in sys.path:  # the current folder, for encoders named module:Class
        sys.path.append("")  # last, so that no file there takes the place of an installed package
    try:
        app()
    except EquimodalError as error:
        print(f"{'' if isinstance(error, Interrupted) else 'error: '}{error}", file=sys.stderr)
        sys.exit(130 if isinstance(error, Interrupted) else 2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
