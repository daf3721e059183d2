"""Folders of runs as training leaves them, finished or not, from made-up numbers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equimodal.config.run import build_config
from equimodal.config.yaml import write_yaml
from equimodal.training.ability import plain_reference
from reports.made_up import make_run


def write_run(
    folder: Path, epochs: int = 3, *, finished: bool = False, method: str = "joint", seed: int = 0, **made: Any
) -> Path:
    """The folder of a run that has done some epochs of 60."""
    run = make_run(method=method, epochs=epochs, **made)
    config = build_config({"data": {"name": "made-up"}, "method": method, "seed": seed, "training": {"epochs": 60}})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(write_yaml(config.to_dict() | {"provenance": {"config": config.hash()}}))
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in run.history))
    if finished:
        parts = {"validation": run.validation.to_dict(), "test": run.test.to_dict()}
        metrics = {"config": config.hash(), "seed": seed, "reference": plain_reference(run.reference), **parts}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "report.html").write_text("<!doctype html><title>report</title><p>the report of a run")
    return folder


def write_comparison(
    folder: Path, methods: Sequence[str | dict[str, str]] = ("joint", "alternating"), seeds: int = 3
) -> Path:
    """The folder of a comparison that has just begun."""
    config = build_config({"data": {"name": "made-up"}, "compare": {"methods": list(methods), "seeds": seeds}})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".lock").touch()
    (folder / "compare.yaml").write_text(write_yaml(config.for_compare() | {"provenance": {"data": "made-up"}}))
    return folder


def age(folder: Path, seconds: float = 3600) -> None:
    """Let everything in a folder have been written so long ago."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
