"""The command: `python -m research.family`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.terminal import print_anywhere
from equimodal.display.figure_files import write_figures
from equimodal.errors import EquimodalError, Interrupted
from equimodal.tables.text import as_text
from research.family.design import BITS, WEAKNESSES, Rest
from research.family.figures import charts
from research.family.summary import Summary
from research.family.sweep import METHODS, Found, Sweep, run

_LABELS = [method["label"] for method in METHODS]


def family(
    seeds: Annotated[int, typer.Option(help="Seeds: rows, initial weights and batches of their own.")] = 10,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of runs and tables; the same command resumes.")
    ] = Path("comparisons/family"),
    draw: Annotated[Path | None, typer.Option(help="The folder of the figures; by default that of the runs.")] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help=f"One or more of: {', '.join(_LABELS)}.")
    ] = None,
    interactions: Annotated[
        list[int] | None, typer.Option(help="Bits that are interactions; by default 0 to all.")
    ] = None,
    weak: Annotated[
        list[float] | None, typer.Option(help=f"Strength of the last modality; by default {WEAKNESSES}.")
    ] = None,
    bits: Annotated[int, typer.Option(help="Bits of the label.")] = BITS,
    modalities: Annotated[int, typer.Option(help="2 or 3.")] = 2,
    rest: Annotated[Rest, typer.Option(help="What the bits are that are no interactions.")] = "unique",
    workers: Annotated[int, typer.Option(help="Processes that train in parallel.", min=1)] = 1,
) -> None:
    """Train methods on problems with known information; print tables, write figures and the numbers of every run."""
    sweep = Sweep(
        interactions=tuple(sorted(interactions or range(bits + 1))),
        weaknesses=tuple(weak or WEAKNESSES),
        methods=tuple(method or _LABELS),
        seeds=seeds,
        bits=bits,
        modalities=modalities,
        rest=rest,
    )
    total = len(sweep.interactions) * len(sweep.weaknesses) * seeds
    found: list[Found] = []
    for one in run(sweep, out, workers=workers):
        found.append(one)
        if len(found) % len(sweep.methods) == 0:
            where = f"{one.interactions} of {bits} interactions, strength {one.weak:g}, seed {one.seed}"
            print(f"{len(found) // len(sweep.methods)} of {total}: {where}", file=sys.stderr)
    summary = Summary(sweep, tuple(found))
    print(as_text(summary.tables()))
    written = [*summary.write(out), *write_figures(charts(summary), draw or out, ("svg",))]
    print(f"\nwritten {', '.join(map(str, written))}")


def main() -> None:
    """Run the command; a user's mistake is one message on standard error and exit code 2."""
    print_anywhere()
    try:
        typer.run(family)
    except Interrupted as error:
        print(error, file=sys.stderr)
        sys.exit(130)
    except EquimodalError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
