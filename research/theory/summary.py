"""What the checks find, in a few lines: where weak to strong wins, free-riding, and the residual loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from research.theory.free_riding import Learnt, Setting, closed_form
from research.theory.order import excess_at_rest
from research.theory.quadratic import Cycle, Order, Weak, simulate
from research.theory.residual import TRAININGS, Bits, Trained, at_rest, exact_pool, learn
from research.theory.sweeps import Outcome, outcome, random_problems

PROBLEMS = 1000
AGREEMENTS = (-0.5, 0.0, 0.5)
STRONG, WEAK = 0.8, 0.4
"""Reliabilities of the two modalities that free-ride."""
INTERACTIONS = (0.0, 0.5, 0.9)
STEPS = 20
_BITS = {redundancy: Bits(strong=0.9, weak=0.7, redundancy=redundancy) for redundancy in (0.0, 0.5)}

_PLAIN = Cycle(ratio=0.1, step=0.1)
_BOTH = replace(_PLAIN, transfer=1.0)
_MET = replace(_BOTH, in_loss=False)
_READ = replace(_BOTH, in_step=False)
_SLOW = replace(_BOTH, weak="slow")
_FLAT = replace(_BOTH, weak="flat")


@dataclass(frozen=True)
class OrderRow:
    """How weak to strong fares in one setting.

    Args:
        after: when the losses are compared.
        memory: who meets it.
        cycle: the setting.
        outcomes: one for each of `AGREEMENTS`.
    """

    after: str
    memory: str
    cycle: Cycle
    outcomes: tuple[Outcome, ...]


def order_rows(seed: int = 0) -> list[OrderRow]:
    """Return how weak to strong fares over random problems, at a ratio of .1, a step of .1 and a transfer of 1.

    Args:
        seed: of the problems.
    """
    problems = [random_problems(PROBLEMS, agreement, seed=seed) for agreement in AGREEMENTS]
    shown: list[tuple[int | None, str, Cycle]] = [
        (1, "none", _PLAIN),
        (1, "step", _MET),
        (1, "loss", _READ),
        (1, "step and loss", _BOTH),
        (1, "step and loss", _SLOW),
        (1, "step and loss", _FLAT),
        (10, "step and loss", _BOTH),
        (10, "step and loss", _SLOW),
        (None, "none", _PLAIN),
        (None, "step", _MET),
        (None, "loss", _READ),
        (None, "step and loss", _BOTH),
        (None, "step and loss", _SLOW),
        (None, "step and loss", _FLAT),
    ]
    words = {1: "1 cycle", 10: "10 cycles", None: "at rest"}
    return [
        OrderRow(words[cycles], memory, cycle, tuple(outcome(each, cycle, cycles) for each in problems))
        for cycles, memory, cycle in shown
    ]


def excess_rows(seed: int = 0) -> list[tuple[Weak, Order, tuple[float, ...]]]:
    """Return how far above the least fusion loss the limit of each order is, with memory in step and loss.

    Args:
        seed: of the problems.

    Returns:
        The reading of "weak", the order, and for each of `AGREEMENTS` the mean of
        `excess_at_rest` over the fusion loss at the start.
    """
    problems = [random_problems(PROBLEMS, agreement, seed=seed) for agreement in AGREEMENTS]
    return [
        (
            cycle.weak,
            order,
            tuple(
                float(np.mean(excess_at_rest(each, cycle, order) / simulate(each, cycle, order, 0)[0]))
                for each in problems
            ),
        )
        for cycle in (_BOTH, _SLOW, _FLAT)
        for order in get_args(Order)
    ]


def free_riding_rows() -> list[tuple[str, str, Learnt]]:
    """Return who came last, how its step was made, and what was learnt: reliabilities .8 (strong) and .4 (weak)."""
    rows = []
    for name, first, last in (("strong", WEAK, STRONG), ("weak", STRONG, WEAK)):
        rows += [
            (name, "reads", closed_form(Setting(first=first, last=last))),
            (name, "reads, unimodal loss", closed_form(Setting(first=first, last=last, unimodal=1.0))),
            (name, "does not read", closed_form(Setting(first=first, last=last, reads=False))),
        ]
    return rows


def residual_rows() -> list[tuple[float, str, str, tuple[Trained, ...]]]:
    """Return redundancy, training, after how many steps, and for each of `INTERACTIONS` what was learnt.

    Reliabilities are .9 (strong) and .7 (weak). First come the experts in a pool without memory.
    """
    rows: list[tuple[float, str, str, tuple[Trained, ...]]] = []
    for redundancy, base in _BITS.items():
        tables = [replace(base, interaction=strength) for strength in INTERACTIONS]
        for name, pool in (("equal", np.ones(2)), ("exact", exact_pool(base))):
            pooled = tuple(Trained(bits, bits.experts, np.zeros(16), pool) for bits in tables)
            rows.append((redundancy, f"experts, {name} pool", "at rest", pooled))
        for training in TRAININGS:
            early = tuple(learn(bits, training, STEPS) for bits in tables)
            rows.append((redundancy, training, f"{STEPS} steps", early))
            rows.append((redundancy, training, "at rest", tuple(at_rest(bits, training) for bits in tables)))
    return rows
