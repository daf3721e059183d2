"""What a sweep found, over seeds: tables to read, and the numbers of every run as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.files import write_text
from equimodal.statistics.estimates import Estimate, estimate
from equimodal.tables.csv import as_csv
from equimodal.tables.table import Cell, Column, Table, table_of_records
from equimodal.tables.words import number
from research.family.limits import Limits, limits
from research.family.sweep import DIAGNOSED, Found, Sweep

LIKELIHOOD = "interaction_likelihood"


@dataclass(frozen=True)
class Summary:
    """A sweep and what it found.

    Args:
        sweep: what was run.
        found: every run.
    """

    sweep: Sweep
    found: tuple[Found, ...]

    @property
    def last(self) -> str:
        """Name of the modality whose strength is varied."""
        return next(self.sweep.places())[2].modalities[-1]

    def over_seeds(self, column: str, method: str, interactions: int, weak: float) -> Estimate:
        """Return what the seeds say about one column of `Found` for a method at a place."""
        return estimate(
            [
                getattr(one, column)
                for one in self.found
                if (one.method, one.interactions, one.weak) == (method, interactions, weak)
            ]
        )

    def limits(self, weak: float) -> list[Limits]:
        """Return what can be known and decided at each number of interactions, at one strength."""
        return [limits(design) for _, strength, design in self.sweep.places() if strength == weak]

    def tables(self) -> list[Table]:
        """Return accuracy for each strength, then the interaction in log-likelihood gain."""
        accuracy = [
            self._table("Accuracy", "accuracy", self.sweep.methods, weak, [one.together for one in self.limits(weak)])
            for weak in self.sweep.weaknesses
        ]
        diagnosed = [method for method in self.sweep.methods if method in DIAGNOSED]
        index = [
            self._table(
                "Interaction in log-likelihood gain (nats)",
                LIKELIHOOD,
                diagnosed,
                weak,
                [one.interaction_information for one in self.limits(weak)],
            )
            for weak in self.sweep.weaknesses
        ]
        return accuracy + index if diagnosed else accuracy

    def _table(self, title: str, column: str, methods: Sequence[str], weak: float, perfect: Sequence[float]) -> Table:
        labels = [*methods]
        rows = [[self._cell(column, method, i, weak) for i in self.sweep.interactions] for method in methods]
        labels.append("perfect model")
        rows.append([Cell(number(value)) for value in perfect])
        if column == "accuracy":
            labels.append("product of unimodal experts")
            rows.append([Cell(number(found.late)) for found in self.limits(weak)])
        columns = tuple(
            Column(f"{interactions} of {self.sweep.bits}", cells)
            for interactions, cells in zip(self.sweep.interactions, zip(*rows, strict=True), strict=True)
        )
        return Table(f"{title}, {self.last} of strength {weak:g}", "By interaction bits.", tuple(labels), columns)

    def _cell(self, column: str, method: str, interactions: int, weak: float) -> Cell:
        found = self.over_seeds(column, method, interactions, weak)
        spread = "" if found.mean is None or found.high is None else f"± {number(found.high - found.mean)}"
        return Cell(number(found.mean), spread)

    def write(self, folder: Path) -> list[Path]:
        """Write `runs.csv`, one line per run, and `limits.csv`, one line per place; return the paths.

        Raises:
            RunError: a file could not be written.
        """
        runs = [{"method": one.method, **one.record()} for one in self.found]
        tables = {
            "runs.csv": table_of_records("Runs", runs),
            "limits.csv": table_of_records("Limits", [_limit_record(self.sweep, *at) for at in self.sweep.places()]),
        }
        for name, table in tables.items():
            write_text(folder / name, as_csv(table), then="run the same command again")
        return [folder / name for name in tables]


def _limit_record(sweep: Sweep, interactions: int, weak: float, design: Any) -> dict[str, Any]:
    found = limits(design)
    return {
        "interactions": interactions,
        "share": interactions / sweep.bits,
        "weak": weak,
        "together": found.together,
        "late": found.late,
        **{f"alone.{name}": value for name, value in found.alone.items()},
        **{f"information.{kind}": value for kind, value in found.information.items()},
        **{f"information_alone.{name}": value for name, value in found.information_alone.items()},
        "interaction_accuracy": found.interaction_accuracy,
        "interaction_likelihood": found.interaction_information,
    }
