"""A page that shows some samples of every class: pictures, frames, spectrograms and texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equimodal.data.dataset import Dataset
from equimodal.display.html import write_page
from equimodal.reports.cards import card
from equimodal.reports.overview import MOST_CLASSES, overview

PER_CLASS = 4


def contact_sheet(data: Dataset, path: Path, per_class: int = PER_CLASS) -> Path:
    """Write the page; the same data give the same page.

    Of each class some samples are shown, at equal distances in the order of the rows. Names are escaped.

    Args:
        data: any rows; without labels they are one class.
        path: the file to write.
        per_class: samples of each class.

    Returns:
        The path.

    Raises:
        RunError: the page cannot be written.
    """
    tables, sentences = overview(data)
    sections = {}
    for name, rows in _classes(data).items():
        places = np.linspace(0, len(rows) - 1, min(per_class, len(rows))).round().astype(np.int64)
        sections[name] = [card(data, row) for row in rows[np.unique(places)].tolist()] if len(rows) else []
    left = max(0, len(data.classes) - MOST_CLASSES)
    content = {"tables": tables, "sentences": sentences, "sections": sections, "left": left}
    return write_page(path, "equimodal.reports", "contact_sheet", title=data.name, **content)


def _classes(data: Dataset) -> dict[str, np.ndarray]:
    if data.labels is None:
        return {"All samples": np.arange(len(data))}
    return {name: np.flatnonzero(data.labels == number) for number, name in enumerate(data.classes[:MOST_CLASSES])}
