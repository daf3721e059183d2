"""Small data on disk, configurations of analyses that take seconds, and a result from numbers of one's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from comparison.made_up import comparison
from equimodal.analyses.encoders import Encoders
from equimodal.analyses.result import SettingResult
from equimodal.config.method import parse_methods
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


def encoder_setting() -> SettingResult:
    """Return two sets of encoders under one method, with numbers of one's choice."""
    arms, _ = Encoders(parse_methods(["joint"]), ["x", "y"]).arms(())
    table = comparison({"joint, x": [0.5, 0.6, 0.7], "joint, y": [0.7, 0.7, 0.8]})
    for results in table.results.values():
        for result in results:
            result.test["contribution"] = {"edm": 0.1 * (result.seed + 1), "target": {"a": 0.5, "b": 0.5}}
    shares: dict[str, list[float | None]] = {"joint, x": [0.9, 0.8, 0.4], "joint, y": [0.6, None, 0.7]}
    readings = {
        label: [
            {
                "share.a": share,
                "share.b": None if share is None else 1 - share,
                "minor.a": None if share is None else float(share < 0.5),
                "minor.b": None if share is None else float(share > 0.5),
                "parameters": 100.0,
            }
            for share in each
        ]
        for label, each in shares.items()
    }
    return SettingResult(table, tuple(arms), (), readings)
