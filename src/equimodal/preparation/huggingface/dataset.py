"""A data set of Hugging Face as a layout: its media stay in its tables until they are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equimodal.data.checks import raise_problems
from equimodal.media.forms import Medium
from equimodal.preparation.division import completed, shared_groups
from equimodal.preparation.embedded import Embedded, lengths_differ
from equimodal.preparation.huggingface.choice import DRAWN, NO_LABEL, Choice
from equimodal.preparation.huggingface.features import Column, shared_columns
from equimodal.preparation.huggingface.files import Files, find_files
from equimodal.preparation.huggingface.named import files_beside
from equimodal.preparation.huggingface.parts import parts_of
from equimodal.preparation.huggingface.recognition import check_single
from equimodal.preparation.huggingface.roles import Roles, modality_of, roles_of
from equimodal.preparation.huggingface.snapshot import root_of
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.shards import batches
from equimodal.preparation.tables import list_places

_ROWS = 4096
_UNNAMED = -1
"""The number of a class that is not told, as in test splits of competitions."""


@dataclass
class _Faults:
    """Places of rows that have no label, an unknown one, no group or an id again."""

    unlabelled: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    ungrouped: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def read_dataset(folder: Path, choice: Choice | None = None) -> Layout:
    """Return the samples of a data set as it is downloaded from the hub, or as `save_to_disk` leaves it.

    Rows are read in batches; pictures, sounds, videos and arrays only when they are decoded.

    Args:
        folder: of the data set; of the hub's cache, a snapshot, or the folder of a repository, whose `refs/main` then
            says which snapshot.
        choice: what is taken of it.

    Raises:
        DataError: files are missing or damaged, or rows lack what is needed.
        ConfigError: pyarrow is not installed, or the choice does not fit the data set.
    """
    check_single(folder)
    choice, root = choice or Choice(), root_of(folder)
    files = find_files(root, choice.config)
    parts = parts_of(files.splits, choice.splits, choice.label != NO_LABEL)
    shards = {split: files.splits[split] for split in parts}
    every = [path for paths in shards.values() for path in paths]
    columns = shared_columns(root, every, files.features, choice.ignore)
    roles = roles_of(columns, choice)
    stored = {
        column: columns[column].kind == "array" and lengths_differ(every, column)
        for column, medium in roles.media.items()
        if medium != "text"
    }
    samples: list[Sample] = []
    faults, ids, counts = _Faults(), dict[str, str](), dict[str, int]()
    for split, paths in shards.items():
        before = len(samples)
        samples += _samples(root, split, parts[split], paths, roles, stored, faults, ids)
        counts[split] = len(samples) - before
    raise_problems(_row_problems(faults, roles, samples), str(folder))
    notes = _notes(files, counts, parts)
    samples, more = completed(samples)
    notes += more
    media: dict[str, Medium] = {modality_of(column): medium for column, medium in roles.media.items()}
    classes = roles.label.classes if roles.label else ()
    return Layout(media, samples, root, notes, classes or None)


def _samples(
    root: Path,
    split: str,
    part: str | None,
    paths: list[Path],
    roles: Roles,
    stored: Mapping[str, bool],
    faults: _Faults,
    ids: dict[str, str],
) -> Iterator[Sample]:
    number = 0
    texts = [column for column, medium in roles.media.items() if medium == "text"]
    for path in paths:
        beside = {column: files_beside(root, path, column) for column in stored}
        for row, entries in _rows(path, roles.read()):
            place = f"{split} row {number}"
            name = f"{split}/{number}" if roles.id is None else str(entries[roles.id])
            if ids.setdefault(name, place) != place:
                faults.twice.append(f"{place} ('{name}', as in {ids[name]})")
            cells: dict[str, Any] = {
                modality_of(column): beside[column].get(row) or Embedded(path, row, column, steps)
                for column, steps in stored.items()
            }
            cells |= {modality_of(column): entries[column] for column in texts if (entries[column] or "").strip()}
            label = None if roles.label is None else _class(entries[roles.label.name], roles.label, place, faults)
            group = None if roles.group is None else _word(entries[roles.group])
            if roles.group is not None and group is None:
                faults.ungrouped.append(place)
            yield Sample(name, cells, label, part, group)
            number += 1


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the entries of each row; of no column, if none is wanted."""
    for start, batch in batches(path, columns, rows=_ROWS):
        lists = {name: batch.column(name).to_pylist() for name in columns}
        for place in range(batch.num_rows):
            yield start + place, {name: values[place] for name, values in lists.items()}


def _class(entry: Any, column: Column, place: str, faults: _Faults) -> str | None:
    if column.classes and isinstance(entry, (int, float)) and entry == entry:
        if entry in range(len(column.classes)):
            return column.classes[int(entry)]
        if entry != _UNNAMED:
            faults.strange.append(f"{place} ({entry})")
            return ""
        entry = None
    word = None if column.is_label and entry == _UNNAMED else _word(entry)
    if word is None:
        faults.unlabelled.append(place)
    return word


def _word(entry: Any) -> str | None:
    """Return a text, number or boolean as text; None for nothing, a blank text or NaN."""
    if entry is None or entry != entry:
        return None
    if isinstance(entry, bool):
        return str(entry).lower()
    if isinstance(entry, float) and entry.is_integer():
        return str(int(entry))
    return str(entry).strip() or None


def _row_problems(faults: _Faults, roles: Roles, samples: list[Sample]) -> list[str]:
    label = roles.label.name if roles.label else ""
    problems = []
    if not samples:
        problems.append("There is no row. Take other splits, or download the data set again.")
    if faults.unlabelled:
        problems.append(
            f"Column '{label}': no class in {list_places(faults.unlabelled)}. Name the splits that have "
            f"classes with --split; or take no labels, for data to predict: --label {NO_LABEL}."
        )
    if faults.strange:
        count = len(roles.label.classes) if roles.label else 0
        problems.append(
            f"Column '{label}': expected a class from 0 to {count - 1}, as its features name them, or {_UNNAMED} for "
            f"none, but not so in {list_places(faults.strange)}. Download the data set again, or correct its classes."
        )
    if faults.ungrouped:
        problems.append(f"Column '{roles.group}': empty in {list_places(faults.ungrouped)}. Leave --group out.")
    if faults.twice:
        problems.append(
            f"Column 'id': the same id again in {list_places(faults.twice)}. Leave it out with --ignore id: rows are "
            "then numbered."
        )
    shared = shared_groups(samples)
    if shared:
        problems.append(
            f"Column '{roles.group}': {list_places(shared)} are in several parts. Leave --group out, or draw "
            f"parts that share none: --split {DRAWN}."
        )
    return problems


def _notes(files: Files, counts: Mapping[str, int], parts: Mapping[str, str | None]) -> list[str]:
    notes = [
        f"The card says {files.counts[split]} rows of {split}, found {count}."
        for split, count in counts.items()
        if files.counts.get(split, count) != count
    ]
    left = [split for split in files.splits if split not in parts]
    if left:
        notes.append(f"Splits that are left out: {', '.join(left)}.")
    return notes
