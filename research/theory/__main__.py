"""The command: `python -m research.theory`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.terminal import print_anywhere
from equimodal.errors import EquimodalError
from equimodal.tables.words import interval, number
from research.theory.figures import write_figures
from research.theory.quadratic import WEAKNESSES
from research.theory.residual import EXCLUSIVE_OR, pull
from research.theory.summary import (
    AGREEMENTS,
    INTERACTIONS,
    PROBLEMS,
    STRONG,
    WEAK,
    excess_rows,
    free_riding_rows,
    order_rows,
    residual_rows,
)


def theory(
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the figures.")] = Path("theory"),
    seed: Annotated[int, typer.Option(help="Of the random problems.", min=0)] = 0,
) -> None:
    """Check Theorem 1 (weak to strong) on quadratic losses, free-riding, and the residual loss; write two figures."""
    written = write_figures(out, seed)
    print(f"Theorem 1: a1/a2 = .1, step .1, transfer 1; {PROBLEMS} random quadratic problems a column, seed {seed}.")
    print(
        "Share that weak to strong wins, [95% interval of the mean difference, in 1/1000 of the loss at the start].\n"
    )
    heads = [f"agreement {number(agreement, 1)}" for agreement in AGREEMENTS]
    print(f"{'after':11}{'memory in':15}{'weak':7}" + "".join(f"{head:25}" for head in heads).rstrip())
    for row in order_rows(seed):
        cells = [
            f"{number(one.share, 2)} {interval(1000 * one.low, 1000 * one.high, 2, sign=True)}" for one in row.outcomes
        ]
        print(f"{row.after:11}{row.memory:15}{row.cycle.weak:7}" + "".join(f"{cell:25}" for cell in cells).rstrip())
    print("\n" + "\n".join(f"{name}: {text}." for name, text in WEAKNESSES.items()))
    print("\nDistance of the limit from the least fusion loss (memory in step and loss), relative to the first loss.\n")
    print(f"{'weak':7}{'order':19}" + "".join(f"{head:17}" for head in heads).rstrip())
    for weak, order, means in excess_rows(seed):
        print(f"{weak:7}{order:19}" + "".join(f"{number(mean, 4):17}" for mean in means).rstrip())
    print(f"\nFree-riding: what each explains alone, of {STRONG} (strong) and {WEAK} (weak) that it could.\n")
    print(f"{'last':8}{'its step':24}{'strong':>8}{'weak':>8}{'fused':>8}{'EDM':>8}")
    for last, step, learnt in free_riding_rows():
        weak, strong = learnt.alone if last == "strong" else learnt.alone[::-1]
        cells = "".join(f"{number(value):>8}" for value in (strong, weak, learnt.fused, learnt.edm))
        print(f"{last:8}{step:24}{cells}")
    _print_residual()
    print(f"\nfigures {', '.join(map(str, written))}")


def _print_residual() -> None:
    rows = residual_rows()
    could = rows[0][-1][0].bits.information
    print("\nResidual loss: what the weak modality says alone, and what the fused logits say, in bits.")
    print(f"Alone the experts say {number(could[0])} (strong) and {number(could[1])} (weak).\n")
    heads = "".join(f"  interaction {number(strength, 1):8}" for strength in INTERACTIONS)
    print(f"{'redundancy':12}{'training':25}{'after':10}{heads}".rstrip())
    for redundancy, training, after, learnt in rows:
        cells = "".join(f"  {number(one.alone[1])}  {number(one.fused):13}" for one in learnt)
        print(f"{number(redundancy, 1):12}{training:25}{after:10}{cells}".rstrip())
    print("\nWhat asks the memory to move when it is 0, the experts are learnt, and the pool is exact:")
    for redundancy, training, _, pooled in rows:
        if training == "experts, exact pool":
            pulls = "".join(f"  {number(pull(one.bits, one.pool)[EXCLUSIVE_OR]):20}" for one in pooled)
            print(f"{number(redundancy, 1):47}{pulls}".rstrip())


def main() -> None:
    """Run the command; a user's mistake is one message on standard error and exit code 2."""
    print_anywhere()
    try:
        typer.run(theory)
    except EquimodalError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
