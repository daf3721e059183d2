"""What a model does where one modality is noisy: accuracy by modality, kind of noise and strength."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equimodal.data.columns.corrupted import (
    Blurred,
    CorruptedColumn,
    Corruption,
    Noisy,
    NoisySignal,
    WithoutWords,
)
from equimodal.data.controls import standard_deviation
from equimodal.data.dataset import Dataset
from equimodal.files import write_text
from equimodal.inference.evaluation import Chosen
from equimodal.inference.means import means
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, encode_all
from equimodal.models.encoders.base import Encoder
from equimodal.models.preparing import prepared
from equimodal.modes import evaluating
from equimodal.seeds import derive_seed
from equimodal.tables.csv import as_csv
from equimodal.tables.table import Cell, Column, Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.tables.words import interval, number
from equimodal.training.run import Run

FILE = "noise.csv"
BATCH = 256


@dataclass(frozen=True)
class Kind:
    """One kind of noise.

    Args:
        name: what is done.
        unit: of the strengths.
        strengths: from the weakest to the strongest.
        make: what a strength does to a row.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    make: Callable[[float], Corruption]


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
            "kind": "none",
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


def measure_noise(run: Run, chosen: Chosen, *, seed: int = 0) -> NoiseReport:
    """Measure a run's model with noise on one modality at a time; the other encoders do not run again.

    Pictures and videos are blurred and get noise, a waveform (a sequence of one number per step) gets noise by its
    signal-to-noise ratio, texts lose words, and other numbers get noise in units of their standard deviation over the
    rows measured. A row has the same random numbers at every strength.

    Args:
        run: a finished run.
        chosen: labelled rows, see `equimodal.inference.evaluation.rows_to_measure`.
        seed: of noise and bootstrap.
    """
    model, rows = run.model, chosen.rows
    clean = list(encode_all(model, model.prepare(rows, run.cache()), BATCH))
    right = [_right(model, clean)]
    places: list[tuple[str, Kind, float]] = []
    notes: dict[str, str] = {}
    for name in (name for name in model.modalities if name in rows.modalities and rows.present[name].any()):
        kinds, note = _kinds(rows, name)
        if note:
            notes[name] = note
        for kind in kinds:
            for strength in kind.strengths:
                column = rows.modality(name)
                worse = CorruptedColumn(
                    column.column, kind.make(strength), column.lengths, derive_seed(seed, "noise", name, kind.name)
                )
                encodings = _encoded_again(model, rows.with_modalities({name: replace(column, column=worse)}), name)
                right.append(_right(model, clean, name, encodings))
                places.append((name, kind, strength))
    return _report(chosen, np.stack(right), places, notes, seed)


def _kinds(rows: Dataset, name: str) -> tuple[list[Kind], str]:
    """Return the kinds of noise that suit a modality, and what a reader must know of it."""
    spec = rows.specs[name]
    if spec.kind == "text":
        return [Kind("words dropped", "", (0.2, 0.4, 0.6, 0.8), WithoutWords)], ""
    if spec.fields is not None:
        return [], "holds several arrays by name, left out."
    if spec.kind == "tensor" and spec.dtype.kind != "f":
        return [], "holds whole numbers that may be token numbers, left out."
    if spec.kind == "sequence" and spec.shape[1:] == (1,):
        return [Kind("signal-to-noise ratio", "dB", (20, 10, 0, -10), NoisySignal)], ""
    deviation = standard_deviation(rows, name)
    if deviation == 0:
        return [], "holds the same number everywhere, left out."
    gaussian = Kind("noise", "SD", (0.25, 0.5, 1, 2), lambda level: Noisy(level * deviation))
    if spec.kind in ("image", "video"):
        return [Kind("blur", "px", (0.5, 1, 2, 4), lambda sigma: Blurred(sigma, spec.kind)), gaussian], ""
    if spec.kind == "sequence":
        return [gaussian], (
            "Holds features and no waveform, so that a signal-to-noise ratio cannot be set: noise is in standard "
            "deviations of the features."
        )
    return [gaussian], ""


@torch.no_grad()
def _encoded_again(model: Classifier, rows: Dataset, name: str) -> Iterator[torch.Tensor]:
    """Yield one modality's encodings by the batch; what else the rows have is not read, and no cache is filled."""
    rows, encoder = rows.restrict([name]), model.encoders[name]
    rows = prepared(rows, name, encoder, None) if isinstance(encoder, Encoder) else rows
    for batch in rows.batches(BATCH):
        with evaluating(model):
            encodings = model.encode_one(batch.to(model.device), name)
        yield encodings


@torch.no_grad()
def _right(
    model: Classifier, clean: list[Encoded], name: str | None = None, encodings: Iterator[torch.Tensor] | None = None
) -> np.ndarray:
    """Return which rows are classified correctly, float (N,), with other encodings of one modality if given."""
    found = []
    for part in clean:
        changed = {} if name is None or encodings is None else {name: next(encodings)}
        with evaluating(model):
            logits = model.fuse({**part.encodings, **changed}, part.present)
        found.append((logits.argmax(-1) == part.labels).double().cpu().numpy())
    return np.concatenate(found)


def _report(
    chosen: Chosen,
    right: np.ndarray,
    places: list[tuple[str, Kind, float]],
    notes: dict[str, str],
    seed: int,
) -> NoiseReport:
    """Return the report of which rows are right, (1 + places, N), without noise first."""
    scores = np.concatenate([right, right[:1] - right[1:]]).T  # accuracies, and what is lost
    clean, *found = means(scores, chosen.rows.groups, derive_seed(seed, "noise bootstrap"))
    with_noise, lost = found[: len(places)], found[len(places) :]
    measured = tuple(
        AtStrength(name, kind.name, kind.unit, float(strength), with_it.value, with_it.ends, drop.value, drop.ends)
        for (name, kind, strength), with_it, drop in zip(places, with_noise, lost, strict=True)
    )
    return NoiseReport(chosen.split, len(scores), clean.value, clean.ends, measured, notes)


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
