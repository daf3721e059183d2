"""Samples that share a file, or look alike: counted within the data, and from part to part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equimodal.data.assignment import PARTS

NEAR = 4
"""Bits of 64 in which pictures that look alike may differ."""
_BANDS = NEAR + 1


@dataclass(frozen=True)
class Pair:
    """Two rows that are alike in one modality.

    Args:
        modality: in which.
        how: `same` (the same bytes, or the same text) or `near` (see `equimodal.media.pictures.likeness`).
        row: the later one, in a later part if there are parts.
        other: the first one that it is like.
        across: the two parts, as "test in train", or "" where the rows are in the same part or there is none.
    """

    modality: str
    how: str
    row: int
    other: int
    across: str


def find_duplicates(
    modality: str,
    digests: Sequence[str | None],
    likenesses: Sequence[int | None],
    splits: Sequence[str | None],
) -> list[Pair]:
    """Return one pair for each row that is like an earlier one, and for each other part that it is like a row of.

    Args:
        modality: for the pairs.
        digests: of the rows' content; None where a row has none.
        likenesses: of pictures; None where there is none. Two are near if at most `NEAR` bits differ.
        splits: part of each row, or None.

    Example:
        >>> find_duplicates("image", ["a", "b", "a"], [7, 6, 7], ["train", "train", "test"])[1]
        Pair(modality='image', how='same', row=2, other=0, across='test in train')
    """
    parts = [len(PARTS) if split is None else PARTS.index(split) for split in splits]
    order = sorted(range(len(parts)), key=lambda row: (parts[row], row))
    same: dict[str, list[int]] = defaultdict(list)
    alike: dict[int, list[int]] = defaultdict(list)
    for row in order:
        if (digest := digests[row]) is not None:
            same[digest].append(row)
        if (likeness := likenesses[row]) is not None:
            alike[likeness].append(row)
    found = {
        (pair.row, pair.across): pair for rows in same.values() for pair in _pairs(modality, "same", rows, rows, parts)
    }
    for likeness, near in _neighbours(sorted(alike)).items():
        others = sorted((row for each in near for row in alike[each]), key=lambda row: (parts[row], row))
        for pair in _pairs(modality, "near", alike[likeness], others, parts):
            found.setdefault((pair.row, pair.across), pair)
    return sorted(found.values(), key=lambda pair: (pair.row, pair.across))


def _pairs(modality: str, how: str, rows: Sequence[int], others: Sequence[int], parts: Sequence[int]) -> list[Pair]:
    """Return the pairs of each row with the first other row of each part that is not later.

    Rows and others are in the order of their parts.
    """
    first: dict[int, int] = {}
    for other in others:
        first.setdefault(parts[other], other)
    pairs = []
    for row in rows:
        for part, other in first.items():
            if part < parts[row] or (part == parts[row] and other < row):
                across = f"{PARTS[parts[row]]} in {PARTS[part]}" if part != parts[row] else ""
                pairs.append(Pair(modality, how, row, other, across))
    return pairs


def _neighbours(likenesses: Sequence[int]) -> dict[int, set[int]]:
    """Return for each of some distinct numbers of 64 bits those that differ in at most `NEAR` bits, with itself.

    Of five bands of bits at least one is equal in two numbers that differ in four: only those are compared.
    """
    found: dict[int, set[int]] = {each: {each} for each in likenesses}
    values = np.array(likenesses, np.uint64)
    width = -(-64 // _BANDS)
    for band in range(_BANDS):
        keys = (values >> np.uint64(band * width)) & np.uint64((1 << width) - 1)
        order = np.argsort(keys, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            for position, row in enumerate(rows[:-1].tolist()):
                later = rows[position + 1 :]
                for other in later[np.bitwise_count(values[later] ^ values[row]) <= NEAR].tolist():
                    found[likenesses[row]].add(likenesses[other])
                    found[likenesses[other]].add(likenesses[row])
    return found
