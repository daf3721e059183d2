"""What a model does where one modality is noisy: accuracy by modality, kind of noise and strength."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
from equimodal.inference.evaluation import Chosen
from equimodal.inference.means import means
from equimodal.inference.noise_report import AtStrength, NoiseReport
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, encode_all
from equimodal.models.encoders.base import Encoder
from equimodal.models.preparing import prepared
from equimodal.modes import evaluating
from equimodal.seeds import derive_seed
from equimodal.training.run import Run

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
