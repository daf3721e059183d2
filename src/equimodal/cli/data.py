"""`equimodal data`: looking at data before training on them."""

from __future__ import annotations

from typing import Annotated

import typer

from equimodal.cli.options import Out

data = typer.Typer(name="data", help="Look at data: a summary and a contact sheet.", no_args_is_help=True)


@data.callback()
def _data() -> None:
    """A group, though it has one command as yet."""


@data.command()
def show(
    place: Annotated[str, typer.Argument(metavar="DATA", help="A built-in data set, or the path of yours.")],
    out: Out = None,
    per_class: Annotated[int, typer.Option(help="Samples of each class on the sheet.", min=1)] = 4,
) -> None:
    """Print a summary, and write a page that shows some samples of every class."""
    from pathlib import Path

    from equimodal.data.catalogue import load_to_show
    from equimodal.files import safe_name
    from equimodal.reports.contact_sheet import contact_sheet
    from equimodal.reports.overview import folder_size, overview
    from equimodal.tables.text import as_text

    found = load_to_show(place)
    print(as_text(*overview(found)))
    if Path(place).exists():
        print(f"On disk: {folder_size(Path(place))}")
    print(f"Contact sheet: {contact_sheet(found, out or Path(f'{safe_name(found.name)}.html'), per_class)}")
