"""Fixed-size splits by scikit-learn: stratified by class, disjoint in groups, the same for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from equimodal.data.checks import list_rows
from equimodal.data.identifiers import as_text, numbered
from equimodal.errors import DataError

PARTS = ("train", "validation", "test")

FOLDS = 20
"""Folds that grouped rows are first dealt into; parts are made of whole folds."""
MANY = 100
"""With fewer groups than this, seeds differ by the order in which groups are dealt."""
TOLERANCE = 0.03
"""What a random order may add to the imbalance, as a share of all rows."""
ORDERS = 500
"""Random orders that are tried."""


def part_numbers(values: Any, count: int) -> np.ndarray:
    """Return the part of each row, 0 training, 1 validation, 2 test, from a column that says so.

    Args:
        values: for each row 0, 1 or 2, or "train", "validation" or "test" (N,).
        count: how many rows there are, N.

    Raises:
        DataError: an entry is none of these, or there is not one per row.

    Example:
        >>> part_numbers(["train", "test", 1], 3).tolist()
        [0, 2, 1]
    """
    names = {str(number): number for number in range(len(PARTS))} | {part: n for n, part in enumerate(PARTS)}
    entries = as_text("split", values)
    if entries.shape != (count,):
        raise DataError(f"split: expected one per row, shape ({count},), got shape {entries.shape}.")
    numbers = np.array([names.get(entry.lower(), -1) for entry in entries.tolist()], np.int64)
    strange = np.flatnonzero(numbers < 0)
    if len(strange):
        raise DataError(
            f"split: {list_rows(strange)} neither 0, 1, 2 nor {', '.join(PARTS)}: row {strange[0]} is "
            f"'{entries[strange[0]]}'. Name one of these for every row."
        )
    return numbers


def assign(
    labels: np.ndarray,
    groups: np.ndarray | None,
    fractions: Sequence[float],
    seed: int,
) -> np.ndarray:
    """Return the part of each row: 0 training, 1 validation, 2 test, int64 (N,).

    Without groups the sizes are exact and every class keeps its share, as far as whole rows allow. With
    groups, whole groups are dealt into folds of like class shares (`StratifiedGroupKFold`), and folds into
    parts, largest fold first, to the part that lacks most rows (our own rule). Fewer than 100 groups are dealt one by
    one in a random order instead, because their folds would be the same for every seed. The first order counts that
    leaves parts nearly as balanced in size and classes. A class that training would miss is then brought there.

    Args:
        labels: class numbers (N,).
        groups: (N,), never shared between parts; None where rows stand alone.
        fractions: shares of the three parts, each above 0, together 1.
        seed: which split.

    Raises:
        DataError: the fractions are none, or there are fewer than three rows or groups.

    Example:
        >>> np.bincount(assign(np.arange(50) % 2, None, (0.6, 0.2, 0.2), seed=0)).tolist()
        [30, 10, 10]
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DataError(f"fractions: expected three shares above 0 that add up to 1, got {tuple(fractions)}.")
    units = np.arange(len(labels)) if groups is None else numbered(groups)
    count = len(np.unique(units))
    if count < len(PARTS):
        what = "rows" if groups is None else "groups"
        raise DataError(f"A split into {', '.join(PARTS)} needs at least 3 {what}, got {count}. Add {what}.")
    if groups is None:
        part = _split_rows(labels, fractions, seed)
    else:
        part = _split_groups(labels, units, fractions, seed)
    return _bring_classes_to_train(labels, units, part)


def draw_stratified(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return `size` row numbers, sorted, with the class shares of all rows and at least one row per class.

    Raises:
        DataError: `size` is below the number of classes or above the number of rows.

    Example:
        >>> draw_stratified(np.array([0] * 90 + [1] * 9 + [2]), 10, seed=0).size
        10
    """
    classes, counts = np.unique(labels, return_counts=True)
    if not len(classes) <= size <= len(labels):
        raise DataError(
            f"Cannot draw {size} training rows: at least {len(classes)} are needed (one of each class), "
            f"and there are {len(labels)}. Ask for a number between."
        )
    taken = np.ones(len(classes), np.int64)
    for _ in range(size - len(classes)):
        lack = np.where(taken < counts, size * counts / len(labels) - taken, -np.inf)
        taken[np.argmax(lack)] += 1
    generator = np.random.default_rng(seed)
    rows = [
        generator.choice(np.flatnonzero(labels == label), number, replace=False)
        for label, number in zip(classes, taken, strict=True)
    ]
    return np.sort(np.concatenate(rows))


def _split_rows(labels: np.ndarray, fractions: Sequence[float], seed: int) -> np.ndarray:
    from sklearn.model_selection import train_test_split  # costs a second to import: only a split pays for it

    count = len(labels)
    validation, test = (max(1, round(count * share)) for share in fractions[1:])
    if validation + test >= count:
        validation, test = 1, 1
    part = np.zeros(count, np.int64)
    rest = np.arange(count)
    for number, size in ((2, test), (1, validation)):
        rest, chosen = train_test_split(rest, test_size=size, random_state=seed, stratify=_strata(labels[rest], size))
        part[chosen] = number
    return part


def _strata(labels: np.ndarray, size: int) -> np.ndarray | None:
    """Return what to stratify by: the classes, single rows lumped with the commonest; None if impossible."""
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    common = int(np.argmax(counts))
    strata = np.where(counts[numbers] < 2, common, numbers)
    kinds = len(np.unique(strata))
    return strata if counts[common] > 1 and kinds <= min(size, len(labels) - size) else None


def _split_groups(labels: np.ndarray, units: np.ndarray, fractions: Sequence[float], seed: int) -> np.ndarray:
    fold = _stratified_folds(labels, units, seed)
    names, sizes = np.unique(fold, return_counts=True)
    largest_first = sorted(range(len(names)), key=lambda fold: (-sizes[fold], fold))
    part = _deal(fold, largest_first, fractions)
    if len(np.unique(units)) >= MANY:
        return part
    # Folds of few groups are the same for every seed. So the groups themselves are dealt, in a random order.
    accepted = _imbalance(labels, part, fractions) + TOLERANCE
    generator = np.random.default_rng(seed)
    drawn = (_deal(units, generator.permutation(units.max() + 1), fractions) for _ in range(ORDERS))
    return next((other for other in drawn if _imbalance(labels, other, fractions) <= accepted), part)


def _stratified_folds(labels: np.ndarray, units: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each row, at least three folds, numbered from 0."""
    from equimodal.data.folds import GroupFolds  # imports scikit-learn

    folds = min(FOLDS, len(np.unique(units)), int(np.bincount(labels).max()))
    fold = np.zeros(len(labels), np.int64)
    if folds > len(PARTS):
        splitter = GroupFolds(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # Classes with fewer rows than folds cannot be in every fold; training gets them all the same.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for number, (_, rows) in enumerate(splitter.split(labels, labels, units)):
                fold[rows] = number
    if len(np.unique(fold)) < len(PARTS):
        shuffled = np.random.default_rng(seed).permutation(units.max() + 1)
        fold = shuffled[units]
    return np.unique(fold, return_inverse=True)[1]


def _deal(fold: np.ndarray, order: Sequence[int] | np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Return the part of each row: folds are dealt in `order`, each to the part that lacks most rows; none is empty."""
    sizes = np.bincount(fold)
    lack = np.array(fractions) * len(fold)
    chosen = np.zeros(len(sizes), np.int64)
    for name in order:
        chosen[name] = np.argmax(lack)
        lack[chosen[name]] -= sizes[name]
    for number in range(len(PARTS)):
        if number not in chosen:
            held = [name for name in range(len(sizes)) if (chosen == chosen[name]).sum() > 1]
            chosen[min(held, key=lambda name: (sizes[name], name))] = number
    return chosen[fold]


def _imbalance(labels: np.ndarray, part: np.ndarray, fractions: Sequence[float]) -> float:
    """Return the share of rows that are in another part than exact sizes and class shares would have it."""
    table = np.zeros((len(PARTS), labels.max() + 1))
    np.add.at(table, (part, labels), 1)
    return float(np.abs(table - np.outer(fractions, table.sum(0))).sum() / (2 * len(labels)))


def _bring_classes_to_train(labels: np.ndarray, units: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Move or swap whole units until training holds every class, as far as no other part becomes empty."""
    part = part.copy()
    table = np.zeros((units.max() + 1, labels.max() + 1), np.int64)
    np.add.at(table, (units, labels), 1)
    place = np.zeros(len(table), np.int64)
    place[units] = part
    sizes = table.sum(1)
    for label in np.flatnonzero(table.sum(0)):
        if table[place == 0, label].any():
            continue
        for unit in sorted(np.flatnonzero(table[:, label]), key=lambda unit: (sizes[unit], unit)):
            home = place[unit]
            spare = _spare_unit(table, sizes, place, cast(int, unit))
            if spare is not None:
                place[spare] = home
            elif (place == home).sum() < 2:
                continue
            place[unit] = 0
            break
    return place[units]


def _spare_unit(table: np.ndarray, sizes: np.ndarray, place: np.ndarray, incoming: int) -> int | None:
    """Return a unit of training, as large as the incoming one, whose classes are in training without it."""
    held = table[place == 0].sum(0) + table[incoming]
    candidates = [
        unit
        for unit in np.flatnonzero(place == 0).tolist()
        if sizes[unit] <= 2 * sizes[incoming] and not ((held - table[unit] == 0) & (table[unit] > 0)).any()
    ]
    return min(candidates, key=lambda unit: (abs(sizes[unit] - sizes[incoming]), unit), default=None)
