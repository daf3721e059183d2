"""Another column's rows, made worse when they are read: blurred, noisy, or with words dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.ndimage import gaussian_filter

from equimodal.data.columns.base import Column, Kind, Selection, Spec, Values, checksum_of
from equimodal.data.columns.text import TEXT

Corruption = Callable[[Any, np.random.Generator], Any]
"""Makes a row worse: its values or its text, without padding, with random numbers of its own. Its `repr` says how."""


class CorruptedColumn(Column):
    """The rows of another column, each changed by a function. Shape and type of a row stay.

    Whole numbers are rounded and cut off where their type ends, pictures at 0 and 255. A row is the same in whatever
    batch it is read.

    Args:
        source: the column: numbers or text, not several arrays by name.
        corruption: what is done to a row.
        lengths: valid steps of each row (N,), where rows are padded: padding stays as it is.
        seed: of all rows.

    Example:
        >>> from equimodal.data.columns.text import TextColumn
        >>> column = CorruptedColumn(TextColumn(["a dog", "a cat"]), lambda text, random: text.upper(), None, 0)
        >>> column.take(slice(1, 2)).tolist()
        ['A CAT']
    """

    def __init__(self, source: Column, corruption: Corruption, lengths: np.ndarray | None, seed: int) -> None:
        self.source, self.corruption, self.lengths, self.seed = source, corruption, lengths, seed

    @property
    def spec(self) -> Spec:
        """What the source's rows are."""
        return self.source.spec

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Selection) -> Values:
        """Return the source's rows, changed."""
        values = self.source.take(rows)
        changed = [
            self._changed(row, number)
            for row, number in zip(cast(Any, values), np.arange(len(self))[rows].tolist(), strict=True)
        ]
        if self.spec.kind == "text":
            return np.array(changed, TEXT)
        return changed if isinstance(values, list) else np.array(changed).reshape(cast(np.ndarray, values).shape)

    def _changed(self, row: Any, number: int) -> Any:
        random = np.random.default_rng([self.seed, number])
        if self.spec.kind == "text":
            return self.corruption(str(row), random)
        end = len(row) if self.lengths is None else int(self.lengths[number])
        made = self.corruption(row[:end].astype(np.float64), random)
        if row.dtype.kind in "iu":
            limits = np.iinfo(row.dtype)
            made = np.clip(np.rint(made), limits.min, limits.max)
        changed = np.array(row)
        changed[:end] = made
        return changed

    def fingerprint(self) -> str:
        """Return a checksum of the source's content and of what the changes follow from."""
        return checksum_of([self.source.fingerprint(), f"corrupted {self.corruption!r} {self.seed}"])

    def sizes(self) -> int | np.ndarray:
        """Return how many values a row has."""
        return self.source.sizes()


@dataclass(frozen=True)
class Noisy:
    """Adds Gaussian noise of this standard deviation."""

    deviation: float

    def __call__(self, row: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the row, changed."""
        return row + self.deviation * random.standard_normal(row.shape)


@dataclass(frozen=True)
class NoisySignal:
    r"""Adds white noise to a signal, at this ratio of the row's power to that of the noise.

    $$\mathrm{SNR} = 10 \log_{10} \frac{\overline{x^2}}{\sigma^2}$$

    Example:
        >>> made = NoisySignal(20)(np.ones(50_000), np.random.default_rng(0))
        >>> round(float(made.std()), 2)  # a hundredth of the power
        0.1
    """

    decibels: float

    def __call__(self, row: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the row, changed."""
        share = 10 ** (-self.decibels / 20)
        return row + share * np.sqrt(np.mean(row**2)) * random.standard_normal(row.shape)


@dataclass(frozen=True)
class Blurred:
    """Blurs a picture (H, W) or (H, W, C), or each frame of a video (T, H, W, C), by `sigma` pixels.

    Example:
        >>> picture = np.zeros((9, 9))
        >>> picture[4, 4] = 1
        >>> round(float(Blurred(1.0, "image")(picture, np.random.default_rng(0))[4, 4]), 3)  # 1 / (2 pi), nearly
        0.159
    """

    sigma: float
    kind: Kind

    def __call__(self, row: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return the row, changed."""
        first = 0 if self.kind == "image" else 1
        return gaussian_filter(row, [self.sigma if axis in (first, first + 1) else 0.0 for axis in range(row.ndim)])


@dataclass(frozen=True)
class WithoutWords:
    """Drops each word of a text with this probability; one word is kept at least.

    Example:
        >>> WithoutWords(0.5)("the quick brown fox", np.random.default_rng(0))
        'the'
    """

    rate: float

    def __call__(self, text: str, random: np.random.Generator) -> str:
        """Return the text, changed."""
        words = text.split()
        drawn = random.random(len(words))
        kept = [word for word, number in zip(words, drawn, strict=True) if number >= self.rate]
        return " ".join(kept or words[: 1 if words else 0]) if self.rate else text
