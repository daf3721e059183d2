"""Does the order matter? Strategies by initial sequences, and training order crossed with the order of inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import permutations
from typing import Any, ClassVar

from equimodal.analyses.base import Analysis, Arm, Found, Line, make_arm, memory_fusion
from equimodal.analyses.crossing import OFF, cross
from equimodal.analyses.tables import (
    SMALLEST,
    block,
    differences,
    lines_of_arms,
    means,
    scores,
    told,
    told_scores,
)
from equimodal.data.splits import Splits
from equimodal.methods.schedule import STRATEGIES
from equimodal.tables.estimates import difference_cell
from equimodal.tables.table import Cell, Column, Table
from equimodal.training.run import Run

BASE = STRATEGIES[0]
"""The strategy that the others are set against."""
ALL_SEQUENCES_UP_TO = 3
"""Most modalities of which every initial sequence is tried; of more, the declared one and its reverse."""


def initial_sequences(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the orders that a first epoch may have.

    Example:
        >>> initial_sequences(["a", "b"]), len(initial_sequences(["a", "b", "c"])), len(initial_sequences("abcd"))
        ([('a', 'b'), ('b', 'a')], 6, 2)
    """
    if len(modalities) <= ALL_SEQUENCES_UP_TO:
        return list(permutations(modalities))
    return [tuple(modalities), tuple(reversed(modalities))]


def reading_columns(modalities: Sequence[str]) -> dict[str, str]:
    """Return the columns of the crossing, with what tables call them."""
    firsts = {f"crossing.first.{name}": f"{name} first" for name in modalities}
    return {"crossing.own": "own order", "crossing.reversed": "reversed", **firsts, OFF: "without memory"}


class Order(Analysis):
    """Every strategy of the schedule from every initial sequence, each run read in other orders and without memory."""

    kind = "order"
    title = "Order of training"
    also: ClassVar[Mapping[str, str]] = {**Analysis.also, OFF: "without memory"}

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return each strategy from each initial sequence, set against weak_to_strong from the same."""
        made = []
        for recipe in self.recipes:
            bases: dict[str, str] = {}
            for strategy in STRATEGIES:
                for sequence in initial_sequences(modalities):
                    words = " > ".join(sequence)
                    if len(modalities) > ALL_SEQUENCES_UP_TO:
                        words = "as declared" if sequence == tuple(modalities) else "reversed"
                    factors = {"strategy": strategy, "initial": words}
                    options = {"order": strategy, "initial": list(sequence)}
                    made.append(make_arm(recipe, factors, options, bases.get(words)))
                    bases.setdefault(words, made[-1].label)
        return made, []

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return the run's accuracies in other orders of inference and without its memory, on test."""
        return cross(run.model, memory_fusion(run), run.model.prepare(data().test))

    @staticmethod
    def lines(found: Found) -> list[Line]:
        """Return a row for each strategy."""
        return strategy_lines(found)

    @staticmethod
    def blocks(found: Found) -> list[Table]:
        """Return the tables: by strategy, by initial sequence too, the crossing, modalities alone, and each step."""
        by_strategy, names = strategy_lines(found), found.comparison.modalities
        others = [line for line in by_strategy if line.against]
        columns = reading_columns(names)
        paired = f"Differences are paired by seed. {SMALLEST}"
        return [
            block(
                "By strategy",
                f"Mean over the initial sequences of a seed; set against {BASE}. {paired}",
                by_strategy,
                *scores(found, by_strategy),
            ),
            block(
                "By strategy and initial sequence",
                f"Set against {BASE} from the same initial sequence. {paired}",
                lines_of_arms(found),
                *scores(found, lines_of_arms(found)),
            ),
            block(
                "Training order by reading order",
                "Accuracy on test of the models trained by a strategy (rows), read without training anew in their own "
                "order, its reverse, with one modality first and the others as they were, and with the memory's "
                "refinement left out, where no order has any effect.",
                by_strategy,
                *(means(found, by_strategy, column, header) for column, header in columns.items()),
            ),
            block(
                "What training did",
                f"The same, each less {BASE} read in the same way: what is left where the way of reading is held equal "
                f"was brought about in training. Paired by seed.",
                others,
                *(differences(found, others, column, header) for column, header in columns.items()),
            ),
            block(
                "What reading does",
                "Accuracy in the model's own order, less that of the same model read otherwise.",
                by_strategy,
                *(
                    _within(found, by_strategy, "crossing.own", column, f"less {columns[column]}")
                    for column in ("crossing.reversed", OFF)
                ),
            ),
            block(
                "Modalities alone, with memory and without",
                "Accuracy on test of each modality alone; without memory that of the encoder and the head.",
                by_strategy,
                *(
                    means(found, by_strategy, f"alone.{way}.{name}", f"{name}, {words}")
                    for name in names
                    for way, words in (("on", "with"), ("off", "without"))
                ),
            ),
            block(
                "What a step gains by the memory it received",
                "Accuracy of each modality alone over the samples that have it, and by how much the logits of its "
                "step, which has read the modalities before it, are better. A gain that only comes where others went "
                "before is what they knew, not what the modality has learnt.",
                by_strategy,
                *_gains(found, by_strategy),
                _firsts(found, by_strategy),
            ),
        ]

    @staticmethod
    def sentences(found: Found) -> list[str]:
        """Return what the strategies, and what reading and training apart, amount to."""
        said = []
        for line in strategy_lines(found):
            if line.against:
                said.append(f"{line.name} against {BASE}: {told_scores(found, line.group, line.against)}.")
                less = told(found.difference(line.group, line.against, OFF))
                said.append(f"{line.name} against {BASE}, both read without memory: accuracy {less}.")
            backwards = told(found.difference(line.group, line.group, "crossing.reversed", "crossing.own"))
            said.append(f"{line.name}, read in the reverse of its own order: accuracy {backwards}.")
        return said


def strategy_lines(found: Found) -> list[Line]:
    """Return a row for each strategy, over all initial sequences."""
    base = found.group(strategy=BASE)
    return [
        Line(strategy, found.group(strategy=strategy), () if strategy == BASE else base)
        for strategy in found.levels("strategy")
    ]


def _within(found: Found, lines: Sequence[Line], column: str, other: str, header: str) -> Column:
    """Return how two columns of the same runs differ."""
    cells = (difference_cell(asdict(found.difference(line.group, line.group, column, other))) for line in lines)
    return Column(header, tuple(cells))


def _gains(found: Found, lines: Sequence[Line]) -> list[Column]:
    columns = []
    for name in found.comparison.modalities:
        alone = f"step.alone.{name}"
        columns += [
            means(found, lines, alone, f"{name} alone"),
            _within(found, lines, f"step.own.{name}", alone, f"{name}: own order"),
            _within(found, lines, f"step.reversed.{name}", alone, f"{name}: reversed"),
        ]
    return columns


def _firsts(found: Found, lines: Sequence[Line]) -> Column:
    """Return in how many runs each modality came first in the model's own order."""
    cells = []
    for line in lines:
        first = [reading["order"][0] for label in line.group for reading in found.readings[label]]
        counts = ", ".join(f"{name} {first.count(name)}" for name in found.comparison.modalities if name in first)
        cells.append(Cell(f"{counts} of {len(first)}"))
    return Column("own order begins with", tuple(cells))
