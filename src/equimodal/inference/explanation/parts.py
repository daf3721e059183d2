"""Accuracy and contributions on parts of the rows: each class, and each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equimodal.inference.means import Mean, means
from equimodal.seeds import derive_seed
from equimodal.training.predictions import SamplePredictions

FEW_ROWS = 10
"""Rows below which a part is marked: one row more or less changes its accuracy by a tenth or more (ours)."""
MOST_GROUPS = 50
"""Groups up to which each is shown; of more, those with the most rows."""
LARGEST_GROUPS = 10


@dataclass(frozen=True)
class Part:
    """What a model does on some of the rows.

    Args:
        name: of the class or group.
        rows: how many there are.
        groups: how many groups they come from; None where rows stand alone.
        accuracy: of all modalities together; None where there are no rows.
        alone: accuracy of each modality alone; empty where there are no rows.
        contributions: mean over the rows of each modality's contribution in nats, see
            `equimodal.training.predictions.SamplePredictions`; empty where there are no rows.
    """

    name: str
    rows: int
    groups: int | None
    accuracy: Mean | None
    alone: dict[str, Mean]
    contributions: dict[str, Mean]

    @property
    def few(self) -> bool:
        """Whether there are so few rows that the numbers say little."""
        return self.rows < FEW_ROWS


def by_class(
    found: SamplePredictions, correct_alone: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> list[Part]:
    """Return what a model does on the rows of each class, in the order of the classes.

    The bootstrap draws the rows of the class, or whole groups of them where the data have groups.

    Args:
        found: what the model says of each of N rows.
        correct_alone: whether each modality alone classifies each row correctly, bool (n, N).
        groups: the group of each row (N,), as text; None where rows stand alone.
        seed: of the bootstrap.

    Example:
        >>> one = np.array(["no", "yes"])
        >>> found = SamplePredictions(("no", "yes"), one, one, one, np.eye(2), {"a": one, "b": one},
        ...                           {"a": np.ones(2), "b": np.ones(2)}, {"a": np.zeros(2), "b": np.full(2, 0.7)})
        >>> first, second = by_class(found, np.array([[True, True], [True, False]]))
        >>> first.name, first.accuracy, second.alone["b"], second.contributions["b"]
        ('no', Mean(value=1.0, ends=None), Mean(value=0.0, ends=None), Mean(value=0.7, ends=None))
    """
    return [_part(name, found, correct_alone, found.labels == name, groups, seed) for name in found.classes]


def by_group(found: SamplePredictions, correct_alone: np.ndarray, groups: np.ndarray, seed: int = 0) -> list[Part]:
    """Return what a model does on the rows of each group, or of the ten largest where there are more than 50.

    The bootstrap draws rows: the interval is that of more rows of the same group, not of other groups.

    Args:
        found: what the model says of each of N rows.
        correct_alone: whether each modality alone classifies each row correctly, bool (n, N).
        groups: the group of each row (N,), as text.
        seed: of the bootstrap.

    Returns:
        One part per group, those with the most rows first, equal ones by name; none where each group is one row.
    """
    names, counts = np.unique(groups, return_counts=True)
    if counts.max() == 1:
        return []
    order = np.argsort(-counts, kind="stable")
    chosen = names[order if len(names) <= MOST_GROUPS else order[:LARGEST_GROUPS]]
    return [_part(str(name), found, correct_alone, groups == name, None, seed) for name in chosen.tolist()]


def whole(found: SamplePredictions, correct_alone: np.ndarray, groups: np.ndarray | None = None, seed: int = 0) -> Part:
    """Return what a model does on all rows; see `by_class`."""
    return _part("all rows", found, correct_alone, np.ones(len(found), dtype=bool), groups, seed)


def _part(
    name: str,
    found: SamplePredictions,
    correct_alone: np.ndarray,
    rows: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> Part:
    inside = None if groups is None else groups[rows]
    number = None if inside is None else len(np.unique(inside))
    if not rows.any():
        return Part(name, 0, number, None, {}, {})
    scores = np.stack([found.right, *correct_alone, *found.contributions.values()], axis=-1)[rows].astype(float)
    accuracy, *others = means(scores, inside, derive_seed(seed, "explain", name))
    n = len(found.modalities)
    return Part(
        name,
        len(scores),
        number,
        accuracy,
        dict(zip(found.modalities, others[:n], strict=True)),
        dict(zip(found.modalities, others[n:], strict=True)),
    )
