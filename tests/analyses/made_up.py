"""Small data on disk, and configurations of analyses that take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from equimodal.config.run import RunConfig, build_config


def write_data(folder: Path, modalities: int = 2, rows: int = 120) -> Path:
    """Write data of vectors, one modality absent from some rows."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    arrays: dict[str, Any] = {
        name: rng.normal(size=(rows, 4)) + (3 - i) * np.eye(4)[labels]
        for i, name in enumerate(("strong", "weak", "weakest")[:modalities])
    }
    arrays["weak_present"] = rng.random(rows) < 0.8
    np.savez(folder / "own.npz", labels=labels, **arrays)
    return folder / "own.npz"


def content(path: Path, **compare: Any) -> dict[str, Any]:
    """Return a configuration of `compare` on the data."""
    return {
        "data": {"name": str(path)},
        "model": {"width": 8},
        "training": {"epochs": 2, "batch_size": 32, "learning_rate": 0.02},
        "measure": {"bootstrap": 0},
        "compare": {"seeds": 2, **compare},
    }


def config(path: Path, **compare: Any) -> RunConfig:
    """Return `content` as a configuration."""
    return build_config(content(path, **compare))
