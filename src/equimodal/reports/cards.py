"""One sample as a page shows it: pictures, frames, spectrograms and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from equimodal.batch import Batch
from equimodal.data.assignment import PARTS
from equimodal.data.columns.base import Kind
from equimodal.data.dataset import Dataset
from equimodal.display.pictures import as_pixels, data_uri, envelope, heat_map

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
    """One sample: its id, its part (or ""), its modalities, and what there is to say of it."""

    id: str
    part: str
    shown: tuple[Shown, ...]
    facts: tuple[str, ...] = ()


def card(data: Dataset, row: int, facts: Sequence[str] = ()) -> Card:
    """Return one sample as a page shows it.

    Args:
        data: any rows.
        row: its number.
        facts: what there is to say of it.
    """
    batch = data.batch([row])
    part = "" if data.parts is None else PARTS[int(data.parts[row])]
    return Card(
        str(data.ids[row]), part, tuple(_shown(batch, name, data.kinds[name]) for name in data.modalities), tuple(facts)
    )


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
