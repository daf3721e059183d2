"""Does the order matter? Strategies by initial sequences, and training order crossed with the order of inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import permutations
from typing import Any, ClassVar

from equimodal.analyses.arms import Arm, Group, make_arm
from equimodal.analyses.base import Analysis, chain_fusion, name_problems
from equimodal.analyses.charts import LIMITS, SPREAD, estimate_mark, score_chart
from equimodal.analyses.crossing import OFF, cross
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import (
    SCORES,
    SMALLEST,
    TableRow,
    arm_rows,
    difference_in_words,
    differences,
    make_table,
    means,
    scores,
    scores_in_words,
)
from equimodal.config.method import MethodSpec
from equimodal.data.splits import Splits
from equimodal.display.charts import Chart, Entry, Mark, Row, RowChart, Style, modality_styles
from equimodal.errors import ConfigError
from equimodal.methods.schedule import STRATEGIES
from equimodal.tables.estimates import difference_cell
from equimodal.tables.table import Cell, Column, Table
from equimodal.training.run import Run

BASE = STRATEGIES[0]
"""The strategy that the others are compared with."""
ALL_SEQUENCES_UP_TO = 3
"""Most modalities for which every initial sequence is tried; with more, the declared one and its reverse."""
INITIAL = ("all", "declared")
"""Which initial sequences are tried."""


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
    """Return the columns of the crossing, with their headers in tables."""
    firsts = {f"crossing.first.{name}": f"{name} first" for name in modalities}
    return {"crossing.own": "own order", "crossing.reversed": "reversed", **firsts, OFF: "without memory"}


class Order(Analysis):
    """Strategies of the schedule from initial sequences, each run read in other orders and without memory.

    Args:
        recipes: what is analysed.
        strategies: what is compared with weak_to_strong, which is always trained.
        initial: "all", see `initial_sequences`; or "declared", the modalities as the data name them.

    Raises:
        ConfigError: if a recipe is of another method, a strategy is unknown or given twice, none is given besides
            weak_to_strong, or `initial` is unknown.
    """

    kind = "order"
    title = "Order of training"
    overall_columns: ClassVar[Mapping[str, str]] = {**Analysis.overall_columns, OFF: "without memory"}

    def __init__(
        self, recipes: Sequence[MethodSpec], strategies: Sequence[str] = STRATEGIES, initial: str = "all"
    ) -> None:
        super().__init__(recipes)
        problems = name_problems("--strategies", "strategy", strategies, STRATEGIES)
        if not {*strategies} - {BASE} and not problems:
            problems.append(f"--strategies: expected some besides {BASE}, with which they are compared.")
        if initial not in INITIAL:
            problems.append(f"--initial: expected {' or '.join(INITIAL)}, got '{initial}'.")
        if problems:
            raise ConfigError(problems)
        self.strategies = tuple(name for name in STRATEGIES if name == BASE or name in strategies)
        self.initial = initial

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return each strategy from each initial sequence, compared with weak_to_strong from the same one."""
        made = []
        sequences = initial_sequences(modalities) if self.initial == "all" else [tuple(modalities)]
        for recipe in self.recipes:
            bases: dict[str, str] = {}
            for strategy in self.strategies:
                for sequence in sequences:
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
        return cross(run.model, chain_fusion(run), run.model.prepare(data().test, run.cache()))

    @staticmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return one row per strategy."""
        return strategy_rows(result)

    @staticmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables: by strategy, by initial sequence too, the crossing, modalities alone, and each step.

        A step has a decision of its own only where the memory refines encodings.
        """
        by_strategy, names = strategy_rows(result), result.comparison.modalities
        others = [row for row in by_strategy if row.against]
        columns = reading_columns(names)
        paired = f"Differences are paired by seed. {SMALLEST}"
        return [
            make_table(
                "By strategy",
                f"Mean over the initial sequences of a seed; set against {BASE}. {paired}",
                by_strategy,
                *scores(result, by_strategy),
            ),
            make_table(
                "By strategy and initial sequence",
                f"Set against {BASE} from the same initial sequence. {paired}",
                arm_rows(result),
                *scores(result, arm_rows(result)),
            ),
            make_table(
                "Training order by reading order",
                "Accuracy on test of the models trained by a strategy (rows), read without further training in their "
                "own order, its reverse, with one modality first and the others as they were, and without the memory, "
                "where no order has any effect.",
                by_strategy,
                *(means(result, by_strategy, column, header) for column, header in columns.items()),
                _first_modality(result, by_strategy),
            ),
            make_table(
                "What training did",
                f"The same, each less {BASE} read in the same way: a difference that remains where both are read in "
                "the same way comes from training. Paired by seed.",
                others,
                *(differences(result, others, column, header) for column, header in columns.items()),
            ),
            make_table(
                "What reading does",
                "Accuracy in the model's own order, less that of the same model read otherwise.",
                by_strategy,
                *(
                    _between_columns(result, by_strategy, "crossing.own", column, f"less {columns[column]}")
                    for column in ("crossing.reversed", OFF)
                ),
            ),
            make_table(
                "Modalities alone, with memory and without",
                "Accuracy on test of each modality alone; without memory that of the encoder and the head. A residual "
                "memory corrects two modalities or more: there both are the same.",
                by_strategy,
                *(
                    means(result, by_strategy, f"alone.{way}.{name}", f"{name}, {words}")
                    for name in names
                    for way, words in (("on", "with"), ("off", "without"))
                ),
            ),
            *_gain_table(result, by_strategy),
        ]

    @staticmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return scores by strategy and initial sequence, the crossing, and what each step gains by the memory."""
        return [*_score_charts(result), _crossing_chart(result), *_gain_chart(result)]

    @staticmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return the effect of each strategy, and how much of it comes from training and how much from reading."""
        lines = []
        for row in strategy_rows(result):
            if row.against:
                lines.append(f"{row.name} against {BASE}: {scores_in_words(result, row.group, row.against)}.")
                less = difference_in_words(result.difference(row.group, row.against, OFF))
                lines.append(f"{row.name} against {BASE}, both read without memory: accuracy {less}.")
            reverse = result.difference(row.group, row.group, "crossing.reversed", "crossing.own")
            lines.append(f"{row.name}, read in the reverse of its own order: accuracy {difference_in_words(reverse)}.")
        return lines


def strategy_rows(result: SettingResult) -> list[TableRow]:
    """Return one row per strategy, over all initial sequences."""
    base = result.group(strategy=BASE)
    return [
        TableRow(strategy, result.group(strategy=strategy), () if strategy == BASE else base)
        for strategy in result.levels("strategy")
    ]


def _between_columns(result: SettingResult, rows: Sequence[TableRow], column: str, other: str, header: str) -> Column:
    """Return how two columns of the same runs differ."""
    cells = (difference_cell(asdict(result.difference(row.group, row.group, column, other))) for row in rows)
    return Column(header, tuple(cells))


def _has_steps(result: SettingResult) -> bool:
    """Whether the runs' modalities decide one after another, each by what the memory made of its encoding."""
    column = f"step.alone.{result.comparison.modalities[0]}"
    return any(column in reading for readings in result.readings.values() for reading in readings)


def _gain_table(result: SettingResult, rows: Sequence[TableRow]) -> Iterator[Table]:
    if _has_steps(result):
        yield make_table(
            "What a step gains by the memory it received",
            "Accuracy of each modality alone over the samples that have it, and by how much the logits of its step, "
            "which has read the modalities before it, are better. A gain that appears only where other modalities "
            "went before is their knowledge, not what the modality has learnt.",
            rows,
            *_gain_columns(result, rows),
        )


def _gain_columns(result: SettingResult, rows: Sequence[TableRow]) -> list[Column]:
    columns = []
    for name in result.comparison.modalities:
        alone = f"step.alone.{name}"
        columns += [
            means(result, rows, alone, f"{name} alone"),
            _between_columns(result, rows, f"step.own.{name}", alone, f"{name}: own order"),
            _between_columns(result, rows, f"step.reversed.{name}", alone, f"{name}: reversed"),
        ]
    return columns


def _first_modality(result: SettingResult, rows: Sequence[TableRow]) -> Column:
    """Return in how many runs each modality came first in the model's own order."""
    cells = []
    for row in rows:
        first = [reading["order"][0] for label in row.group for reading in result.readings[label] if reading]
        counts = ", ".join(f"{name} {first.count(name)}" for name in result.comparison.modalities if name in first)
        cells.append(Cell(f"{counts} of {len(first)}"))
    return Column("own order begins with", tuple(cells))


def _score_charts(result: SettingResult) -> Iterator[Chart]:
    """Yield each score by strategy and initial sequence, and its differences."""
    sequences = result.levels("initial")
    styles = modality_styles(sequences)
    legend = tuple(Entry(f"from {sequence}", styles[sequence]) for sequence in sequences)
    rows = strategy_rows(result)
    for column, words, _, _ in SCORES:
        values = tuple(Row(row.name, tuple(_value_marks(result, row, column, styles))) for row in rows)
        changes = tuple(Row(row.name, tuple(_change_marks(result, row, column, styles))) for row in rows if row.against)
        yield score_chart(column, words, values, legend=legend)
        yield score_chart(column, words, changes, reference=BASE, legend=legend)


def _value_marks(result: SettingResult, row: TableRow, column: str, styles: Mapping[str, Style]) -> Iterator[Mark]:
    arms = _by_sequence(result, row.group)
    for sequence, style in styles.items():
        yield estimate_mark(result.summary(arms[sequence], column), style)


def _change_marks(result: SettingResult, row: TableRow, column: str, styles: Mapping[str, Style]) -> Iterator[Mark]:
    arms, bases = _by_sequence(result, row.group), _by_sequence(result, row.against)
    for sequence, style in styles.items():
        yield estimate_mark(result.difference(arms[sequence], bases[sequence], column), style)


def _by_sequence(result: SettingResult, group: Group) -> dict[str, Group]:
    """Return the arms of a group by their initial sequence."""
    return {arm.factors["initial"]: (arm.label,) for arm in result.arms if arm.label in group}


def _crossing_chart(result: SettingResult) -> Chart:
    columns = reading_columns(result.comparison.modalities)
    styles = modality_styles(list(columns))
    return RowChart(
        key="crossing",
        title="Training order by reading order",
        caption=f"Accuracy on test, {SPREAD}: models trained by a strategy (rows), read in other orders and without "
        "the memory. Marks that differ within a row show what reading does; the same mark in two rows, what training "
        "did.",
        axis="accuracy",
        limits=LIMITS["accuracy"],
        rows=tuple(
            Row(row.name, tuple(estimate_mark(result.summary(row.group, c), styles[c]) for c in columns))
            for row in strategy_rows(result)
        ),
        legend=tuple(Entry(words, styles[column]) for column, words in columns.items()),
    )


def _gain_chart(result: SettingResult) -> Iterator[Chart]:
    if not _has_steps(result):
        return
    styles = modality_styles(result.comparison.modalities)

    def mark(row: TableRow, name: str) -> Mark:
        gain = result.difference(row.group, row.group, f"step.own.{name}", f"step.alone.{name}")
        return estimate_mark(gain, styles[name])

    yield RowChart(
        key="gains",
        title="What a step gains by the memory it received",
        caption="Accuracy of each modality's step less that of the modality alone, in the model's own order, "
        f"{SPREAD}.",
        axis="gain in accuracy",
        rows=tuple(Row(row.name, tuple(mark(row, name) for name in styles)) for row in strategy_rows(result)),
        level=0.0,
        legend=tuple(Entry(name, style) for name, style in styles.items()),
    )
