"""What was measured where one modality is noisy: a value, its tables, and its file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.errors import MALFORMED, RunError, damage
from equimodal.files import write_text
from equimodal.tables.csv import as_csv, read_number
from equimodal.tables.table import Cell, Column, Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.tables.words import interval, number

FILE = "noise.csv"
_CLEAN = "none"


@dataclass(frozen=True)
class AtStrength:
    """Accuracy with noise on one modality: its interval, and how much lower it is than without (with an interval).

    There is no interval where there are too few rows or groups.
    """

    modality: str
    kind: str
    unit: str
    strength: float
    accuracy: float
    ends: tuple[float, float] | None
    drop: float
    drop_ends: tuple[float, float] | None


@dataclass(frozen=True)
class NoiseReport:
    """What a model does where one modality is noisy.

    Args:
        split: name of the part.
        samples: its rows.
        accuracy: without noise.
        ends: its interval; None where there are too few rows or groups.
        measured: by modality, kind and strength.
        notes: what a reader must know of a modality; of one that is left out, why.
    """

    split: str
    samples: int
    accuracy: float
    ends: tuple[float, float] | None
    measured: tuple[AtStrength, ...]
    notes: dict[str, str]

    def records(self) -> list[dict[str, Any]]:
        """Return one record for the clean data, and one for each strength, as `noise.csv` has them."""
        clean = {
            "modality": None,
            "kind": _CLEAN,
            "unit": None,
            "strength": None,
            "split": self.split,
            "samples": self.samples,
            "accuracy": self.accuracy,
            **_ends("accuracy", self.ends),
        }
        return [clean] + [
            {
                "modality": each.modality,
                "kind": each.kind,
                "unit": each.unit,
                "strength": each.strength,
                "split": self.split,
                "samples": self.samples,
                "accuracy": each.accuracy,
                **_ends("accuracy", each.ends),
                "drop": each.drop,
                **_ends("drop", each.drop_ends),
            }
            for each in self.measured
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-safe values."""
        return {"measured": self.records(), "notes": self.notes}

    def tables(self) -> list[Table]:
        """Return one table for each modality."""
        found = []
        for name in dict.fromkeys(each.modality for each in self.measured):
            rows = [each for each in self.measured if each.modality == name]
            found.append(
                Table(
                    f"Noise on {name}",
                    self.notes.get(name, ""),
                    tuple(f"{each.kind}, {each.strength:g} {each.unit}".rstrip() for each in rows),
                    (
                        Column("accuracy", tuple(Cell(number(e.accuracy), _shown(e.ends)) for e in rows)),
                        Column("drop", tuple(Cell(number(e.drop), _shown(e.drop_ends)) for e in rows)),
                    ),
                    "noise",
                )
            )
        return found

    def __str__(self) -> str:
        measured = {each.modality for each in self.measured}
        return as_text(
            self.tables(),
            [
                f"On {self.split} ({self.samples} rows), accuracy without noise {number(self.accuracy)} "
                f"{_shown(self.ends) or '(too few rows or groups for an interval)'}; 95% bootstrap intervals. "
                "SD: standard deviations of the modality's numbers over these rows; px: pixels; dB: decibels.",
                *(f"{name}: {note}" for name, note in self.notes.items() if name not in measured),
            ],
        )


def _ends(name: str, ends: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _shown(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else interval(*ends)


def save_noise(report: NoiseReport, path: Path) -> None:
    """Write a report as CSV, one line for each modality, kind and strength, not rounded; the first is without noise.

    Raises:
        RunError: it cannot be written.
    """
    write_text(path, as_csv(table_of_records("", report.records())), then="write it again")


def read_noise(path: Path) -> NoiseReport:
    """Return the report that `save_noise` wrote, without its notes.

    Raises:
        RunError: there is none, or it is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first, *lines = csv.DictReader(file)
        if first["kind"] != _CLEAN:
            raise ValueError("its first line is not the one without noise")
        measured = tuple(
            AtStrength(
                line["modality"],
                line["kind"],
                line["unit"],
                read_number(line["strength"]),
                read_number(line["accuracy"], 0, 1),
                _read_ends(line, "accuracy"),
                read_number(line["drop"], -1, 1),
                _read_ends(line, "drop"),
            )
            for line in lines
        )
        accuracy = read_number(first["accuracy"], 0, 1)
        return NoiseReport(first["split"], int(first["samples"]), accuracy, _read_ends(first, "accuracy"), measured, {})
    except MALFORMED as error:
        raise RunError(
            f"{path}: is missing or damaged ({damage(error)}). 'equimodal evaluate RUN --noise' writes it again."
        ) from error


def _read_ends(line: Mapping[str, str], name: str) -> tuple[float, float] | None:
    low, high = line[f"{name}_low"], line[f"{name}_high"]
    return (read_number(low, -1, 1), read_number(high, -1, 1)) if low and high else None
