"""Data in tables: how many rows, classes and groups, and what is there of each modality."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equimodal.data.assignment import PARTS
from equimodal.data.dataset import Dataset
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.words import size_in_words

MOST_CLASSES = 50
"""Classes in the table; others are counted in its note."""


def overview(data: Dataset) -> tuple[list[Table], list[str]]:
    """Return tables of modalities and classes, and a sentence about the whole.

    Example:
        >>> data = Dataset({"a": np.ones((3, 2)), "text": ["one", "", "two"]}, ["x", "y", "x"], split=[0, 1, 2])
        >>> tables, sentences = overview(data)
        >>> sentences, [str(cell) for cell in tables[0].columns[2].cells]
        (['3 samples, 2 classes: train 1, validation 1, test 1.'], ['0', '1'])
    """
    parts = _parts(data)
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in parts.items())
    counts = [f"{len(data)} samples"]
    counts += [f"{len(data.classes)} classes"] if data.labels is not None else ["no labels"]
    counts += [f"{len(np.unique(data.groups))} groups"] if data.groups is not None else []
    tables = [_modalities(data)] + ([_classes(data, parts)] if data.labels is not None else [])
    return tables, [f"{', '.join(counts)}{f': {sizes}' if data.parts is not None else ''}."]


def folder_size(path: Path) -> str:
    """Return how large a file is, or all files in a folder, in words."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return size_in_words(sum(file.stat().st_size for file in files))


def _parts(data: Dataset) -> dict[str, np.ndarray]:
    if data.parts is None:
        return {"samples": np.arange(len(data))}
    return {name: np.flatnonzero(data.parts == number) for number, name in enumerate(PARTS)}


def _modalities(data: Dataset) -> Table:
    records = []
    for name, spec in data.specs.items():
        here = int(data.present[name].sum())
        sizes = data.column(name).sizes()
        values = int(sizes.sum()) if isinstance(sizes, np.ndarray) else sizes * len(data)
        bytes_each = 1 if spec.kind == "text" else spec.dtype.itemsize
        records.append(
            {
                "modality": name,
                "form": str(spec),
                "present": here,
                "missing": len(data) - here,
                "size": size_in_words(values * bytes_each),
            }
        )
    return table_of_records("Modalities", records)


def _classes(data: Dataset, parts: dict[str, np.ndarray]) -> Table:
    labels = data.labels if data.labels is not None else np.empty(0, np.int64)
    counts = {name: np.bincount(labels[rows], minlength=len(data.classes)) for name, rows in parts.items()}
    shown = data.classes[:MOST_CLASSES]
    records = [
        {"class": name, **{part: int(found[number]) for part, found in counts.items()}}
        for number, name in enumerate(shown)
    ]
    more = len(data.classes) - len(shown)
    table = table_of_records("Classes", records)
    return Table(table.title, f"{more} more." if more else "", table.labels, table.columns, table.row_header)
