"""Figures over the epochs of a run, finished or not, as charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import torch

from equimodal.contribution.equilibrium import utilisation
from equimodal.display.charts import FUSED, LEVEL, Entry, EpochChart, Line, OrderChart, Span, modality_styles
from equimodal.training.ability import Ability
from equimodal.training.measure import Measurement


class HistoryCharts:
    """The figures that a history alone has: of a run that is finished, or of one that still trains.

    Epochs of trials (see `equimodal.methods.base.Phase`) are left out and not counted: their weights were
    discarded, so they are not part of the training of the model.

    Args:
        history: the lines of the run; one or more must be no trial.
        reference: what each modality can do alone on validation; None: not known, or not yet.
    """

    def __init__(self, history: Sequence[Mapping[str, Any]], reference: Ability | None = None) -> None:
        self.history = history
        self.reference = reference
        measured = self.epochs[-1].contribution
        self.modalities = measured.modalities
        self.target = measured.target
        self.styles = modality_styles(self.modalities)

    @cached_property
    def lines(self) -> list[Mapping[str, Any]]:
        """The history without trials."""
        return [line for line in self.history if not line.get("trial", False)]

    @cached_property
    def trials(self) -> int:
        """How many epochs were trials."""
        return len(self.history) - len(self.lines)

    @cached_property
    def epochs(self) -> list[Measurement]:
        """The validation of every epoch."""
        return [Measurement.from_dict(line["validation"]) for line in self.lines]

    @cached_property
    def phases(self) -> tuple[Span, ...]:
        """The phases of a run that has several; empty for one phase."""
        numbered = enumerate((line["phase"] for line in self.lines), start=1)
        spans = []
        for name, members in groupby(numbered, key=lambda pair: pair[1]):
            numbers = [number for number, _ in members]
            spans.append(Span(name, numbers[0], numbers[-1]))
        return tuple(spans) if len(spans) > 1 else ()

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """For each phase the epoch whose weights were kept."""
        best: dict[str, int] = {}
        for epoch, line in enumerate(self.lines, start=1):
            if line["best"]:
                best[line["phase"]] = epoch
        return tuple(best.values())

    def accuracy(self) -> EpochChart:
        """Validation accuracy of all modalities and of each alone, by epoch."""
        fused = Line("all modalities", tuple(epoch.scores["accuracy"] for epoch in self.epochs), FUSED)
        alone = self._modality_lines(lambda measured, name: measured.unimodal[name]["accuracy"])
        return self._by_epoch(
            "accuracy",
            "Accuracy by epoch",
            "On validation: all modalities together, and each alone in this model.",
            "accuracy",
            [fused, *alone],
            [],
            (0.0, 1.0),
        )

    def shares(self) -> EpochChart:
        """Shares of contribution by epoch, with the target."""
        targets = sorted(set(self.target.values()))
        return self._by_epoch(
            "shares",
            "Share of contribution by epoch",
            "Shapley shares on validation. The dashed line is the target: below it a modality is minor, "
            "above it dominant.",
            "share",
            self._modality_lines(lambda measured, name: (measured.contribution.shares or {}).get(name)),
            targets,
            (-0.5, 1.5),
        )

    def edm(self) -> EpochChart:
        """EDM by epoch with its interval, and its noise floor."""
        measured = [epoch.contribution for epoch in self.epochs]
        intervals = [one.intervals and one.intervals.edm for one in measured]
        band = tuple((ends.low, ends.high) if ends else None for ends in intervals)
        edm = Line("EDM", tuple(one.edm for one in measured), FUSED, band if any(band) else ())
        lines, caption = [edm], "On validation; 0 is equilibrium."
        if any(one.noise_floor is not None for one in measured):
            lines.append(Line("noise floor", tuple(one.noise_floor for one in measured), LEVEL))
            caption += " The dashed line is what noise alone would show at equilibrium."
        if band and edm.band:
            caption += f" The shade is the {measured[0].confidence:.0%} bootstrap interval."
        return self._by_epoch("edm", "EDM by epoch", caption, "EDM", lines, [], (0.0, 3.0))

    def utilisation(self) -> EpochChart | None:
        """Utilisation of each modality by epoch; None without a reference."""
        reference = self.reference
        if reference is None:
            return None

        def used(measured: Measurement, name: str) -> float | None:
            if reference.knows(name) is False:
                return None
            values = torch.tensor([measured.alone[name], reference[name]], dtype=torch.float64)
            ratio = float(utilisation(values[0], values[1], measured.contribution.value_empty))
            return None if ratio != ratio else ratio

        return self._by_epoch(
            "utilisation",
            "Utilisation by epoch",
            "What a modality does alone in this model, over what an encoder trained on it alone does; each "
            "less what the label prior scores. On validation; 1 (dashed) is all of it.",
            "utilisation",
            self._modality_lines(used),
            [1.0],
            (-0.5, 1.6),
        )

    def order(self) -> OrderChart | None:
        """The place of each modality in every epoch's order; None for methods without an order."""
        orders = [line["order"] for line in self.lines]
        if not any(orders):
            return None
        places = {
            name: tuple(order.index(name) + 1 if order and name in order else None for order in orders)
            for name in self.modalities
        }
        return OrderChart(
            key="order",
            title="Order of training over time",
            caption="The palest modality is trained first in its epoch, the darkest last.",
            axis="",
            places=places,
            styles=self.styles,
        )

    def loss(self) -> EpochChart:
        """Mean loss of training by epoch: each of the terms that the method trains by."""
        named: dict[str, None] = {}
        for line in self.lines:
            named |= dict.fromkeys(line["train"])
        styles = modality_styles(list(named))
        lines = [
            Line(
                name,
                tuple(line["train"].get(name) for line in self.lines),
                self.styles.get(name, styles[name]),
            )
            for name in named
        ]
        return self._by_epoch(
            "loss",
            "Training loss by epoch",
            "Mean over the updates of an epoch, of each loss that the method trains by.",
            "loss",
            lines,
            [],
            (float("-inf"), float("inf")),
        )

    def _modality_lines(self, value: Callable[[Measurement, str], float | None]) -> list[Line]:
        return [
            Line(name, tuple(value(measured, name) for measured in self.epochs), self.styles[name])
            for name in self.modalities
        ]

    def _by_epoch(
        self,
        key: str,
        title: str,
        caption: str,
        axis: str,
        lines: Sequence[Line],
        levels: Sequence[float],
        limits: tuple[float, float],
    ) -> EpochChart:
        several = "s" if len(self.kept) > 1 else ""
        caption += f" Dotted: the epoch{several} kept ({', '.join(map(str, self.kept))})."
        if self.trials:
            caption += f" {self.trials} epochs of trials are left out and not counted."
        if self.phases:
            caption += f" Phases, in turn: {', '.join(phase.name for phase in self.phases)}."
        ends = [v for line in lines for v in line.values if v is not None]
        if ends and (min(ends) < limits[0] or max(ends) > limits[1]):
            caption += " Values beyond the axis are cut off."
        return EpochChart(
            key=key,
            title=title,
            caption=caption,
            axis=axis,
            limits=limits,
            legend=tuple(Entry(line.label, line.style) for line in lines),
            lines=tuple(lines),
            levels=tuple(levels),
            kept=self.kept,
            phases=self.phases,
        )


def updates_taken(history: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of optimiser steps of each modality's encoder.

    Example:
        >>> updates_taken([{"updates": {"a": 3}}, {"updates": {"a": 3, "b": 1}}])
        {'a': 6, 'b': 1}
    """
    total: dict[str, int] = {}
    for line in history:
        for name, count in line["updates"].items():
            total[name] = total.get(name, 0) + count
    return total
