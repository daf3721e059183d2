"""Data whose rows are arrays already: nothing is decoded, rows are only put in their places."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from equimodal.media.forms import Form
from equimodal.media.settings import MediaSettings
from equimodal.preparation.arrays import Target, writing
from equimodal.preparation.finishing import Decoded, finish
from equimodal.preparation.layout import Layout
from equimodal.preparation.outcomes import Outcome, Outcomes
from equimodal.preparation.plan import Plan, check_space
from equimodal.preparation.record import Prepared

_ROWS = 256


@dataclass(frozen=True)
class StoredLayout(Layout):
    """Samples whose arrays are known.

    Args:
        values: by modality, one row per sample: (N, F), or sequences (N, T, F), whose steps of zeros at both ends are
            padding. A row of zeros alone is missing. Numbers that are not finite become 0.
    """

    values: Mapping[str, np.ndarray] = field(default_factory=dict)


def stored_plan(layout: StoredLayout, settings: MediaSettings) -> Plan:
    """Return the plan of arrays: they keep their shape, as float32."""
    forms = {
        name: Form("array", "sequence" if values.ndim == 3 else "vector", values.shape[1:], "float32", values.ndim == 3)
        for name, values in layout.values.items()
    }
    return Plan(layout, settings, {name: forms.get(name, Form("text", "text")) for name in layout.media})


def store(layout: StoredLayout, plan: Plan, folder: Path, work: Path) -> Prepared:
    """Make a data folder of arrays.

    Args:
        layout: the samples and their arrays.
        plan: see `stored_plan`.
        folder: to make.
        work: a folder within it for what is not finished.

    Raises:
        RunError: the disk is full or not writable.
    """
    shutil.rmtree(work, ignore_errors=True)
    check_space(plan, folder)
    outcomes: Outcomes = {row: {} for row in range(len(layout.samples))}
    targets = {name: Target(work / f"{name}.npy", form, len(outcomes)) for name, form in plan.arrays().items()}
    with writing(folder):
        work.mkdir()
        for name, target in targets.items():
            target.create()
            for start in range(0, len(outcomes), _ROWS):
                block = layout.values[name][start : start + _ROWS]
                rows, steps = moved_to_front(np.nan_to_num(block, nan=0, posinf=0, neginf=0).astype(np.float32))
                target.write(start, rows)
                for row, count in enumerate(steps.tolist(), start=start):
                    if count:
                        outcomes[row][name] = Outcome(steps=count if target.form.varies else None)
        return finish(Decoded(plan, outcomes, targets), folder, work, "missing")


def moved_to_front(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences without zeros before and after them, filled up at the end, and how long they are.

    Args:
        block: sequences (N, T, F); vectors (N, F) stay as they are.

    Example:
        >>> rows, steps = moved_to_front(np.array([[[0.0], [3.0], [0.0], [4.0]], [[5.0], [0.0], [0.0], [0.0]]]))
        >>> rows[..., 0].tolist(), steps.tolist()
        ([[3.0, 0.0, 4.0, 0.0], [5.0, 0.0, 0.0, 0.0]], [3, 1])
    """
    filled = (block != 0).any(axis=-1)
    if block.ndim == 2:
        return block, filled.astype(np.int64)
    first = filled.argmax(axis=1)
    steps = np.where(filled.any(axis=1), filled.shape[1] - filled[:, ::-1].argmax(axis=1) - first, 0)
    places = first[:, None] + np.arange(block.shape[1])
    inside = np.arange(block.shape[1]) < steps[:, None]
    rows = np.take_along_axis(block, np.minimum(places, block.shape[1] - 1)[..., None], axis=1)
    return np.where(inside[..., None], rows, 0), steps
