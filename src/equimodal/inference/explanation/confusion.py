"""Which classes are taken for which, with precision, recall and F1 of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; None where they are undefined.

    Args:
        precision: of the rows that are said to be of the class, the share that is; None where none is said to be.
        recall: of the rows of the class, the share that is recognised; None where there are none.
        f1: 2 TP / (2 TP + FP + FN); None where the class neither occurs nor is predicted.
    """

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Mistaken:
    """Rows of one class that are taken for another: how many, and which share of the class."""

    label: str
    predicted: str
    rows: int
    share: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often each class is taken for each.

    Args:
        classes: names (C,).
        counts: rows of class i that are taken for class j, int (C, C).
    """

    classes: tuple[str, ...]
    counts: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Counts over the rows of the class, (C, C); NaN in the rows of a class that does not occur."""
        totals = self.counts.sum(1, keepdims=True)
        return np.divide(self.counts, totals, where=totals > 0, out=np.full(self.counts.shape, np.nan))

    def scores(self) -> dict[str, ClassScores]:
        """Return precision, recall and F1 of each class."""
        hits, said, there = self.counts.diagonal(), self.counts.sum(0), self.counts.sum(1)
        each = zip(self.classes, hits.tolist(), said.tolist(), there.tolist(), strict=True)
        return {
            name: ClassScores(_ratio(hit, all_said), _ratio(hit, all_there), _ratio(2 * hit, all_said + all_there))
            for name, hit, all_said, all_there in each
        }

    def mistaken(self) -> list[Mistaken]:
        """Return the pairs of classes that are confused, those with the most rows first; none are left out."""
        shares = self.shares
        pairs = [(i, j) for i, j in np.argwhere(self.counts).tolist() if i != j]
        pairs.sort(key=lambda pair: (-self.counts[pair], -shares[pair], pair))
        return [
            Mistaken(self.classes[i], self.classes[j], int(self.counts[i, j]), float(shares[i, j])) for i, j in pairs
        ]


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Confusion:
    """Return how often each class is taken for each.

    Args:
        labels: number of the true class (N,).
        predicted: number of the predicted class (N,).
        classes: names (C,).

    Example:
        >>> found = confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["cat", "dog"])
        >>> found.counts.tolist(), found.scores()["dog"]
        ([[1, 1], [0, 1]], ClassScores(precision=0.5, recall=1.0, f1=0.6666666666666666))
        >>> found.mistaken()
        [Mistaken(label='cat', predicted='dog', rows=1, share=0.5)]
    """
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return Confusion(tuple(classes), counts)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
