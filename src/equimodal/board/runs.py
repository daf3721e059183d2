"""A run as far as it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from equimodal.board.finding import Found
from equimodal.board.reading import Version, item, number_at, read_config_of, read_json, read_lines, version
from equimodal.comparison.folder import FILE as COMPARE
from equimodal.comparison.preflight import ensemble_and_others
from equimodal.config.run import RunConfig
from equimodal.files import safe_name
from equimodal.locks import is_held
from equimodal.training.ability import Ability
from equimodal.training.folder import FILE as CONFIG
from equimodal.training.run import METRICS, REFERENCE

State = Literal["running", "stopped", "finished"]
FRESH = 120.0
"""Seconds: a run that wrote something so shortly ago is running, also where its lock is not seen (another machine)."""
HISTORY = "history.jsonl"


@dataclass(frozen=True)
class RunSoFar:
    """What is known of a run.

    Args:
        place: see `Found`.
        state: "running": it holds its folder, or wrote something in the last two minutes.
        method: its label; None where the configuration cannot be read.
        data: name of the data.
        seed: of the run.
        epochs: finished ones, without trials.
        planned: at most; None where it is not known. A run may stop earlier (`training.patience`).
        kept: the epoch whose weights would be kept now.
        accuracy: of that epoch, on validation.
        latest: accuracy of the latest epoch, on validation.
        seconds: of training and validation so far.
        changed: when something was last written, in words.
        report: whether it has a page of its own, `report.html`.
    """

    place: str
    state: State
    method: str | None
    data: str | None
    seed: int | None
    epochs: int
    planned: int | None
    kept: int | None
    accuracy: float | None
    latest: float | None
    seconds: float
    changed: str
    report: bool


@dataclass(frozen=True)
class Numbers:
    """The numbers of a finished run: accuracy and equilibrium deviation on test, accuracy on validation."""

    accuracy: float | None
    validation: float | None
    edm: float | None


@dataclass(frozen=True)
class Progress:
    """What a history says in short."""

    epochs: int = 0
    modalities: int = 0
    kept: int | None = None
    accuracy: float | None = None
    latest: float | None = None
    seconds: float = 0.0


def run_so_far(found: Found) -> RunSoFar:
    """Return what is known of a run now."""
    folder = found.folder
    config = read_config_of(folder / CONFIG)
    history = version(folder / HISTORY)
    progress = Progress() if history is None else _progress(history)
    changed = changed_at(folder)
    finished = numbers_of(folder) is not None
    return RunSoFar(
        place=found.place,
        state="finished" if finished else "running" if is_held(folder) or is_fresh(changed) else "stopped",
        method=None if config is None else config.method.label,
        data=None if config is None else config.data.title,
        seed=None if config is None else config.seed,
        epochs=progress.epochs,
        planned=_planned(config, progress),
        kept=progress.kept,
        accuracy=progress.accuracy,
        latest=progress.latest,
        seconds=progress.seconds,
        changed=in_words(changed),
        report=version(folder / "report.html") is not None,
    )


def changed_at(folder: Path) -> float:
    """Return when something of a run was last written, in seconds since 1970; 0 where nothing is there."""
    return last_change([folder / name for name in (CONFIG, HISTORY, METRICS, "checkpoint/state.safetensors")])


def is_active(folder: Path) -> bool:
    """Return whether the run in a folder trains, without reading a file of it."""
    return version(folder / METRICS) is None and (is_held(folder) or is_fresh(changed_at(folder)))


def numbers_of(folder: Path) -> Numbers | None:
    """Return the numbers of the run in a folder; None where it is not finished."""
    metrics = version(folder / METRICS)
    return None if metrics is None else _numbers(metrics)


def reference_of(found: Found, root: Path) -> Ability | None:
    """Return what each modality can do alone on the validation part of a run; None where it is not known (yet).

    It is in the run's own numbers once it is finished, before that in those of the ensemble that was trained for it: in
    its folder, or, in a comparison, in the folder of the ensemble of the same seed.
    """
    folder = found.folder
    places = [folder, folder / "reference"]
    if len(folder.relative_to(root).parts) >= 2:
        places.append(folder.parents[1] / _ensemble_of(folder.parents[1]) / folder.name)
    for place in places:
        known = item(read_json(place / METRICS), "reference", "validation")
        if isinstance(known, Mapping) and place.resolve().is_relative_to(root):
            try:
                return Ability.from_dict(known)
            except (KeyError, TypeError, ValueError, AttributeError):
                return None
    return None


def _ensemble_of(comparison: Path) -> str:
    """Return the name of the folder of a comparison's unimodal ensemble, which may have a label of its own."""
    config = read_config_of(comparison / COMPARE)
    return REFERENCE if config is None else safe_name(ensemble_and_others(config)[0][0].label)


def last_change(paths: Sequence[Path]) -> float:
    """Return when one of some files was last written, in seconds since 1970; 0 where there is none."""
    known = [found for path in paths if (found := version(path)) is not None]
    return max((found.changed for found in known), default=0) / 1e9


def is_fresh(changed: float) -> bool:
    """Return whether a time is less than `FRESH` seconds ago."""
    return time.time() - changed < FRESH


def in_words(changed: float) -> str:
    """Return a time as it is shown, in this machine's time zone; empty for 0."""
    return datetime.fromtimestamp(changed).strftime("%Y-%m-%d %H:%M:%S") if changed else ""


@lru_cache(4096)
def _numbers(metrics: Version) -> Numbers | None:
    content = read_json(metrics.path)
    test = item(content, "test")
    if test is None:
        return None
    validation = number_at(content, "validation", "accuracy")
    return Numbers(number_at(test, "accuracy"), validation, number_at(test, "contribution", "edm"))


@lru_cache(4096)
def _progress(history: Version) -> Progress:
    lines = read_lines(history.path)
    best = [number for number, line in enumerate(lines, start=1) if line.get("best") is True]
    return Progress(
        epochs=len(lines),
        modalities=len(item(lines[-1], "validation", "unimodal") or ()) if lines else 0,
        kept=best[-1] if best else None,
        accuracy=_accuracy(lines[best[-1] - 1]) if best else None,
        latest=_accuracy(lines[-1]) if lines else None,
        seconds=sum(number_at(line, "seconds", part) or 0.0 for line in lines for part in ("train", "probe")),
    )


def _accuracy(line: Mapping[str, Any]) -> float | None:
    return number_at(line, "validation", "accuracy")


def _planned(config: RunConfig | None, progress: Progress) -> int | None:
    """Return how many epochs a run has at most: the unimodal ensemble has them for each modality.

    Stages of other methods are known to the method alone; where there were more epochs than one stage has, the number
    is not known.
    """
    if config is None:
        return None
    if config.method.name == REFERENCE:
        return config.training.epochs * progress.modalities or None
    return config.training.epochs if progress.epochs <= config.training.epochs else None
