"""`equimodal board`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer


def board(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="A folder of runs, comparisons, studies or analyses.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="On this machine; 0 takes any free one.")] = 8765,
) -> None:
    """Show in the browser what trains, how far it is, and what came of it so far; the pages keep themselves up to date.

    Only this machine can open them, and nothing is written. Ctrl-C ends it.
    """
    from equimodal.board.server import ADDRESS, bind, make_app, serve
    from equimodal.errors import RunError
    from equimodal.extras import need

    if not runs.is_dir():
        raise RunError(f"{runs}: expected a folder of runs, there is {'a file' if runs.exists() else 'none'}.")
    need("uvicorn")  # before a port is taken
    app = make_app(runs)
    with bind(port) as opened:
        print(f"{runs} is shown at http://{ADDRESS}:{opened.getsockname()[1]}/ (Ctrl-C ends it).", flush=True)
        with suppress(KeyboardInterrupt):  # not raised where Ctrl-C is ignored, as in a background job
            serve(app, opened)
        print("The board is closed.")
