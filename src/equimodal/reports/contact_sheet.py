"""A page that shows some samples of every class: pictures, frames, spectrograms and texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from equimodal.batch import Batch
from equimodal.data.assignment import PARTS
from equimodal.data.columns.base import Kind
from equimodal.data.dataset import Dataset
from equimodal.display.html import write_page
from equimodal.display.pictures import as_pixels, data_uri, envelope, heat_map
from equimodal.reports.overview import MOST_CLASSES, overview

PER_CLASS = 4
_PIXELS = 160
"""Pictures are thinned to about so many pixels on a side."""
_STEPS = 400
"""Frames and time steps that are drawn at most."""
_FRAMES = 8
_LETTERS = 240


@dataclass(frozen=True)
class Shown:
    """One modality of one sample.

    Args:
        modality: its name.
        pictures: addresses of pictures, see `data_uri`.
        words: a text, or what there is to say.
        drawn: the picture is a drawing, which may be stretched.
    """

    modality: str
    pictures: tuple[str, ...] = ()
    words: str = ""
    drawn: bool = False


@dataclass(frozen=True)
class Card:
    """One sample: its id, its part (or ""), and its modalities."""

    id: str
    part: str
    shown: tuple[Shown, ...]


def contact_sheet(data: Dataset, path: Path, per_class: int = PER_CLASS) -> Path:
    """Write the page; the same data give the same page.

    Of each class some samples are shown, at equal distances in the order of the rows. Names are escaped.

    Args:
        data: any rows; without labels they are one class.
        path: the file to write.
        per_class: samples of each class.

    Returns:
        The path.

    Raises:
        RunError: the page cannot be written.
    """
    tables, sentences = overview(data)
    sections = {}
    for name, rows in _classes(data).items():
        places = np.linspace(0, len(rows) - 1, min(per_class, len(rows))).round().astype(np.int64)
        sections[name] = [_card(data, row) for row in rows[np.unique(places)].tolist()] if len(rows) else []
    left = max(0, len(data.classes) - MOST_CLASSES)
    content = {"tables": tables, "sentences": sentences, "sections": sections, "left": left}
    return write_page(path, "equimodal.reports", "contact_sheet", title=data.name, **content)


def _classes(data: Dataset) -> dict[str, np.ndarray]:
    if data.labels is None:
        return {"All samples": np.arange(len(data))}
    return {name: np.flatnonzero(data.labels == number) for number, name in enumerate(data.classes[:MOST_CLASSES])}


def _card(data: Dataset, row: int) -> Card:
    batch = data.batch([row])
    part = "" if data.parts is None else PARTS[int(data.parts[row])]
    return Card(str(data.ids[row]), part, tuple(_shown(batch, name, data.kinds[name]) for name in data.modalities))


def _shown(batch: Batch, name: str, kind: Kind) -> Shown:
    if not batch.present[name][0]:
        return Shown(name, words="missing")
    values = batch.inputs[name]
    if isinstance(values, dict):
        return Shown(name, words=", ".join(f"{key} {tuple(part.shape[1:])}" for key, part in values.items()))
    if not isinstance(values, torch.Tensor):
        text = str(values[0])
        return Shown(name, words=text if len(text) <= _LETTERS else f"{text[:_LETTERS]}…")
    plain = values[0].numpy()
    if name in batch.lengths:
        plain = plain[: int(batch.lengths[name][0])]
    if kind == "image":
        return Shown(name, (_picture(plain),))
    if kind == "video":
        frames = np.linspace(0, len(plain) - 1, min(_FRAMES, len(plain))).round().astype(np.int64)
        return Shown(name, tuple(_picture(frame) for frame in plain[frames]))
    if kind == "sequence":
        return Shown(name, (data_uri(_drawn(plain)),), drawn=True)
    if kind == "vector":
        return Shown(name, (data_uri(heat_map(plain[:_STEPS, None])),), drawn=True)
    return Shown(name, words=f"numbers of shape {plain.shape}")


def _drawn(steps: np.ndarray) -> np.ndarray:
    """Return a sequence as a picture; one of a single number per step as a waveform."""
    if steps.shape[1] == 1:
        return envelope(steps[:, 0])
    return heat_map(steps[:: -(-len(steps) // _STEPS)])


def _picture(pixels: np.ndarray) -> str:
    step = max(1, min(pixels.shape[0], pixels.shape[1]) // _PIXELS)
    small = as_pixels(pixels[::step, ::step])
    return data_uri(small[..., :3] if small.ndim == 3 and small.shape[2] == 4 else small)
