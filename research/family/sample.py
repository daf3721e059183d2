"""Rows of a problem: the features that each modality shows, and the label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from research.family.design import Design

SIZES = (1200, 400, 2000)
"""Rows for training, validation and test."""


def mixing(design: Design, modality: str) -> np.ndarray:
    """Return the rotation (D, D) that mixes a modality's features: uniform, and the same for every row."""
    number = design.modalities.index(modality)
    normal = np.random.default_rng([design.mixing, number]).normal(size=(design.dimension, design.dimension))
    columns, triangle = np.linalg.qr(normal)
    return columns * np.sign(np.diagonal(triangle))


def draw(design: Design, rows: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    r"""Return features (rows, D) by modality, and labels (rows,).

    A modality's first latent features are what it sees of its bits, $\mathrm{strength} \cdot s + \varepsilon$; the
    others are noise of variance 1. They are rotated (`mixing`), and each is compressed by the inverse hyperbolic
    sine: that can be undone, so that no information is lost, but a linear map does not read it off. Rows are
    independent.

    Args:
        design: the problem.
        rows: how many.
        seed: of the rows; the rotation is the design's.

    Example:
        >>> from research.family.design import place
        >>> features, labels = draw(place(1, weak=0.75), rows=100, seed=0)
        >>> features["a"].shape, len(labels), int(labels.max())
        ((100, 24), 100, 7)
    """
    rng = np.random.default_rng([design.mixing, seed])
    latent = {name: rng.normal(size=(rows, design.dimension)) for name in design.modalities}
    labels = np.zeros(rows, dtype=np.int64)
    for number, bit in enumerate(design.bits):
        value = rng.integers(0, 2, size=rows)
        labels += value << number
        for name, part in zip(bit.by, _parts(bit.kind, value, len(bit.by), rng), strict=True):
            latent[name][:, design.seen(name).index(number)] += design.strengths[name] * (2 * part - 1)
    features = {name: np.arcsinh(seen @ mixing(design, name).T).astype(np.float32) for name, seen in latent.items()}
    return features, labels


def _parts(kind: str, value: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return what each modality sees of a bit's value (rows,): the bit, or hidden bits whose parity it is."""
    if kind != "interaction":
        return [value] * count
    hidden = rng.integers(0, 2, size=(count - 1, len(value)))
    return [*hidden, np.bitwise_xor.reduce(np.vstack([hidden, value[None]]), axis=0)]


def splits(design: Design, seed: int, sizes: Sequence[int] = SIZES) -> Splits[Dataset]:
    """Return new rows in three parts.

    Args:
        design: the problem.
        seed: of the rows: two seeds share none.
        sizes: rows for training, validation and test.

    Raises:
        ConfigError: there are not three sizes, or one is below 1.
        DataError: a part has classes that training lacks.
    """
    if len(sizes) != 3 or min(sizes) < 1:
        raise ConfigError(f"sizes: expected three numbers of rows, each at least 1, got {tuple(sizes)}.")
    features, labels = draw(design, sum(sizes), seed)
    part = np.repeat(np.arange(3), sizes)
    classes = list(range(design.classes))
    return Dataset(features, labels, classes=classes, split=part, name="family").split()
