"""How a command ends whose comparison lacks some runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from equimodal.comparison.result import Failure

SOME_DIVERGED = 3
"""Exit code of a command that finished and wrote its results, without the runs that diverged."""


def end_with(failures: Sequence[Failure]) -> None:
    """Name the runs that diverged on standard error and end with `SOME_DIVERGED`; do nothing if there are none."""
    if not failures:
        return
    for failure in failures:
        print(f"diverged: {failure.method}, seed {failure.seed}: {failure.reason}", file=sys.stderr)
    raise typer.Exit(SOME_DIVERGED)
