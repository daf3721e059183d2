"""What was measured where modalities are missing: a value, its tables, and its file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.contribution.missing import area_under
from equimodal.errors import MALFORMED, RunError, damage
from equimodal.files import write_text
from equimodal.tables.csv import as_csv, read_number
from equimodal.tables.table import Cell, Column, Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.tables.words import interval, number

FILE = "missing.csv"


@dataclass(frozen=True)
class Spread:
    """A number over several masks: its mean, and the range of 95% of the masks."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class AtRate:
    """What a model does where each entry is missing with one probability.

    Args:
        rate: the probability.
        accuracy: over the masks.
        loss: mean negative log-likelihood in nats, over the masks.
        edm: deviation of the contributions from their target, of the values averaged over the masks; None where it is
            not measured (more than six modalities) or undefined.
    """

    rate: float
    accuracy: Spread
    loss: Spread
    edm: float | None = None


@dataclass(frozen=True)
class OfSubset:
    """What a model does with some modalities alone: their names joined by "+", accuracy and loss."""

    name: str
    accuracy: float
    loss: float


@dataclass(frozen=True)
class MissingReport:
    """What a model does where modalities are missing.

    Args:
        split: name of the part.
        samples: its rows.
        masks: draws of missing entries at each rate.
        rates: ascending.
        subsets: of the modalities, the whole last.
    """

    split: str
    samples: int
    masks: int
    rates: tuple[AtRate, ...]
    subsets: tuple[OfSubset, ...]

    @property
    def area(self) -> float:
        """Area under the curve of the mean accuracy over the rates, divided by the range of the rates."""
        return area_under([each.accuracy.mean for each in self.rates], [each.rate for each in self.rates])

    @property
    def worst(self) -> OfSubset:
        """The subset of the lowest accuracy."""
        return min(self.subsets, key=lambda each: each.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        return {"area": self.area, "worst": self.worst.name, "measured": self.records()}

    def tables(self) -> list[Table]:
        """Return accuracy, loss and EDM by rate, and accuracy and loss by subset."""
        by_rate = [
            Column("accuracy", tuple(_cell(each.accuracy) for each in self.rates)),
            Column("loss", tuple(_cell(each.loss) for each in self.rates)),
        ]
        if any(each.edm is not None for each in self.rates):
            by_rate.append(Column("EDM", tuple(Cell(number(each.edm)) for each in self.rates)))
        by_subset = [
            Column("accuracy", tuple(Cell(number(each.accuracy)) for each in self.subsets)),
            Column("loss", tuple(Cell(number(each.loss)) for each in self.subsets)),
        ]
        return [
            Table(
                "With entries missing at random",
                f"On {self.split} ({self.samples} rows); every row keeps one entry at least. Mean over {self.masks} "
                "draws, and the range of 95% of them.",
                tuple(f"{each.rate:.0%}" for each in self.rates),
                tuple(by_rate),
                "missing",
            ),
            Table(
                "With some modalities only",
                "",
                tuple(each.name for each in self.subsets),
                tuple(by_subset),
                "present",
            ),
        ]

    def __str__(self) -> str:
        return as_text(
            self.tables(),
            [
                f"Area under the curve of accuracy (mean over the rates): {number(self.area)}. Worst subset: "
                f"{self.worst.name}, accuracy {number(self.worst.accuracy)}."
            ],
        )

    def records(self) -> list[dict[str, Any]]:
        """Return one record for each rate and for each subset, as `missing.csv` has them."""
        of = {"split": self.split, "samples": self.samples}
        found = [
            {
                "kind": "rate",
                **of,
                "rate": each.rate,
                "present": None,
                "masks": self.masks,
                "accuracy": each.accuracy.mean,
                "accuracy_low": each.accuracy.low,
                "accuracy_high": each.accuracy.high,
                "loss": each.loss.mean,
                "loss_low": each.loss.low,
                "loss_high": each.loss.high,
                "edm": each.edm,
            }
            for each in self.rates
        ]
        return found + [
            {"kind": "subset", **of, "present": each.name, "accuracy": each.accuracy, "loss": each.loss}
            for each in self.subsets
        ]


def _cell(spread: Spread) -> Cell:
    return Cell(number(spread.mean), interval(spread.low, spread.high) if spread.high > spread.low else "")


def save_missing(report: MissingReport, path: Path) -> None:
    """Write a report as CSV, one line for each rate and each subset, not rounded.

    Raises:
        RunError: it cannot be written.
    """
    write_text(path, as_csv(table_of_records("", report.records())), then="write it again")


def read_missing(path: Path) -> MissingReport:
    """Return the report that `save_missing` wrote.

    Raises:
        RunError: there is none, or it is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        rates = [_read_rate(line) for line in lines if line["kind"] == "rate"]
        subsets = [
            OfSubset(line["present"], read_number(line["accuracy"], 0, 1), read_number(line["loss"], 0))
            for line in lines
            if line["kind"] == "subset"
        ]
        first = lines[0]
        if len(rates) < 2 or not subsets:
            raise ValueError("it holds too few lines")
        return MissingReport(first["split"], int(first["samples"]), int(first["masks"]), tuple(rates), tuple(subsets))
    except MALFORMED as error:
        raise RunError(
            f"{path}: is missing or damaged ({damage(error)}). 'equimodal evaluate RUN --missing' writes it again."
        ) from error


def _read_rate(line: Mapping[str, str]) -> AtRate:
    accuracy, loss = (
        Spread(*(read_number(line[f"{name}{end}"], 0, most) for end in ("", "_low", "_high")))
        for name, most in (("accuracy", 1), ("loss", math.inf))
    )
    return AtRate(read_number(line["rate"], 0, 1), accuracy, loss, read_number(line["edm"], 0) if line["edm"] else None)
