"""A prepared folder in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from equimodal.preparation.finishing import DUPLICATES, UNREADABLE
from equimodal.preparation.record import Prepared
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import as_text


def words_of(record: Prepared, folder: Path) -> str:
    """Return what was prepared as text for a terminal."""
    left = (
        f", {record.given - record.rows} of {record.given} left out ({_counts(record.dropped)})"
        if record.dropped
        else ""
    )
    sentences = [f"{record.rows} samples in {folder}{left}.", *record.notes]
    if record.unreadable:
        listed = "; ".join(f"{name}: {_counts(counts)}" for name, counts in record.unreadable.items())
        sentences.append(f"Unreadable files: {listed}. See {folder / UNREADABLE}.")
    if record.duplicates:
        listed = "; ".join(f"{name}: {_counts(counts)}" for name, counts in record.duplicates.items())
        sentences.append(f"Alike (same bytes, or pictures that look alike): {listed}. See {folder / DUPLICATES}.")
    return as_text([_table(record)], sentences)


def _table(record: Prepared) -> Table:
    records = [
        {
            "modality": name,
            "kind": str(found["kind"]),
            "shape": " x ".join(map(str, found["shape"])),
            "present": found["present"],
            "missing": record.rows - found["present"],
        }
        for name, found in record.modalities.items()
    ]
    return table_of_records("Modalities", records)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in counts.items())
