"""Which part a sample of a public data set is in: the official one, none yet, or the one that a file says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from equimodal.data.assignment import assign
from equimodal.data.checks import raise_problems
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.preparation.layout import Sample
from equimodal.preparation.lists import read_columns
from equimodal.preparation.manifest import SPLITS
from equimodal.preparation.tables import list_places

WAYS = ("official", "drawn")
VALIDATION = 0.1
"""Of training, that becomes validation where nothing else is said."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""Of training, that becomes validation where there is none."""


def divide(
    samples: Sequence[Sample], split: str, validation: float = VALIDATION, ways: Sequence[str] = WAYS
) -> tuple[list[Sample], list[str]]:
    """Return samples with their parts, and what the user should know of it.

    Args:
        samples: with their official parts, if there are any.
        split: `official`: as they are; where no sample is in validation, part of training becomes it (see `hold_out`).
            `drawn`: none, so that a split is drawn where the data are used, with respect to groups. Anything else: a
            `.csv`, `.jsonl` or `.parquet` with the columns `id` and `split`; samples that it does not name are left
            out.
        validation: share of training that becomes validation where there is none.
        ways: the words that this data set knows.

    Raises:
        ConfigError: `split` is no such word and no file.
        DataError: the file is wrong; all its mistakes are reported at once, with their lines.
    """
    if split not in ways:
        samples, notes = _by_file(samples, split, ways)
    else:
        notes = []
        if split == "drawn":
            return [replace(each, split=None) for each in samples], notes
    if all(each.split != "validation" for each in samples):
        samples = hold_out(samples, validation)
        held = sum(each.split == "validation" for each in samples)
        notes.append(
            f"The split has no validation part: {held} samples of training are it (-s validation={validation})."
        )
    return list(samples), notes


def completed(samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """Return samples of the user's with a validation part, and what the user should know of their parts.

    Where there are training and test alone, a tenth of training becomes validation. Where all samples are in training
    they are in no part, so that a split is drawn where the data are used.

    Raises:
        DataError: there are too few groups to hold some out.
    """
    there = {each.split for each in samples}
    if None in there or any(each.label is None for each in samples):
        return list(samples), []
    if there == {"train"}:
        return [replace(each, split=None) for each in samples], [
            "All samples are in train: they are taken as data without a split, which is drawn where they are used."
        ]
    lacking = [part for part in ("train", "test") if part not in there]
    if lacking:
        return list(samples), [
            f"No sample is in {' and '.join(lacking)}: training needs some there. Move some, or give data without a "
            "split, to have it drawn."
        ]
    if "validation" in there:
        return list(samples), []
    try:
        samples = hold_out(samples, VALIDATION)
    except DataError as error:
        raise DataError(
            f"No sample is in validation, and the groups in train are too few to hold some out ({error}) Put some "
            "groups into validation."
        ) from error
    held = sum(each.split == "validation" for each in samples)
    if not held:
        return list(samples), [
            "No sample is in validation, and no class has two samples in training, of which one could be held out: put "
            "some into validation."
        ]
    return list(samples), [f"No sample is in validation: {held} of training become it."]


def shared_groups(samples: Sequence[Sample]) -> list[str]:
    """Return the groups that are in several parts, sorted."""
    parts: dict[str | None, set[str | None]] = defaultdict(set)
    for each in samples:
        parts[each.group].add(each.split)
    return sorted(str(group) for group, found in parts.items() if group is not None and len(found) > 1)


def hold_out(samples: Sequence[Sample], share: float) -> list[Sample]:
    """Return samples of which some of training are validation: the same ones each time, of every class alike.

    Where samples have groups, whole groups are held out, so that no group is in both.

    Args:
        samples: in parts.
        share: of each class's samples, at least one where there are two or more; of all samples where there are groups.

    Raises:
        DataError: there are groups, and fewer than three in training.

    Example:
        >>> given = [Sample(str(n), {}, label="ab"[n % 2], split="train") for n in range(40)]
        >>> sorted(str(each.label) for each in hold_out(given, 0.05) if each.split == "validation")
        ['a', 'b']
    """
    train = sorted((each for each in samples if each.split == "train"), key=lambda each: each.id)
    held: set[str] = set()
    if any(each.group is not None for each in train):
        held = _whole_groups(train, share)
    else:
        rows: dict[str, list[str]] = defaultdict(list)
        for each in train:
            rows[str(each.label)].append(each.id)
        generator = np.random.default_rng(0)
        for label in sorted(rows):
            count = max(round(share * len(rows[label])), 1) if len(rows[label]) > 1 else 0
            held.update(rows[label][int(place)] for place in generator.permutation(len(rows[label]))[:count])
    return [replace(each, split="validation") if each.id in held else each for each in samples]


def _whole_groups(train: Sequence[Sample], share: float) -> set[str]:
    """Return the ids of whole groups, about a share of the rows, of which no class is missing in what is left."""
    labels = np.unique([str(each.label) for each in train], return_inverse=True)[1]
    groups = np.array([str(each.group) for each in train])
    part = assign(labels, groups, (1 - share, share / 2, share / 2), seed=0)  # two of its parts together
    return {each.id for each, number in zip(train, part.tolist(), strict=True) if number > 0}


def _by_file(samples: Sequence[Sample], split: str, ways: Sequence[str]) -> tuple[list[Sample], list[str]]:
    path = Path(split)
    if not path.is_file():
        raise ConfigError(
            f"-s: split: '{split}' is neither {', '.join(ways)} nor a file (.csv, .jsonl, .parquet) with the columns "
            f"id and split.{did_you_mean(split, ways)}"
        )
    table = read_columns(path, ("id", "split"))
    known = {each.id: each for each in samples}
    parts: dict[str, str] = {}
    strange: list[str] = []
    words: list[str] = []
    twice: list[str] = []
    for place, name, word in zip(table.places, table.cells["id"], table.cells["split"], strict=True):
        part = SPLITS.get((word or "").lower())
        if name not in known:
            strange.append(f"{place} ('{name or ''}')")
        elif part is None:
            words.append(f"{place} ('{word or ''}')")
        elif parts.setdefault(str(name), part) != part:
            twice.append(f"{place} ('{name}')")
    problems = []
    if strange:
        example = samples[0].id if samples else "none"
        problems.append(f"{path}: no sample has the id of {list_places(strange)}. An id is for instance '{example}'.")
    if words:
        problems.append(f"{path}: unknown words for a part in {list_places(words)}. Known: {', '.join(SPLITS)}.")
    if twice:
        problems.append(f"{path}: an id again, in another part, in {list_places(twice)}. Name each once.")
    lacking = [part for part in ("train", "test") if part not in parts.values()]
    if lacking and not problems:
        problems.append(f"{path}: puts no sample into {' and '.join(lacking)}. Name some.")
    raise_problems(problems, str(path))
    left = [replace(each, split=parts[each.id]) for each in samples if each.id in parts]
    absent = len(samples) - len(left)
    notes = [f"{absent} samples that {path.name} does not name are left out."] if absent else []
    return _without_shared_groups(left, path.name, notes), notes


def _without_shared_groups(samples: Sequence[Sample], name: str, notes: list[str]) -> list[Sample]:
    """Return samples, without groups where a file puts one into several parts: data with such groups have no split."""
    shared = shared_groups(samples)
    if not shared:
        return list(samples)
    count = len({each.group for each in samples} - {None})
    notes.append(
        f"{name} puts {len(shared)} of {count} groups (such as '{shared[0]}') into several parts: the data come "
        "without groups, and rows of one group may be in training and test."
    )
    return [replace(each, group=None) for each in samples]
