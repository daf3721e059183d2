"""The outcome of one run of a comparison: its numbers, or why it has none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.config.yaml import read_yaml_file
from equimodal.contribution.missing import area_missing, value_missing
from equimodal.errors import MALFORMED, RunError, damage
from equimodal.training.ability import plain_reference
from equimodal.training.history import read_history
from equimodal.training.memory import highest
from equimodal.training.run import METRICS, Run

MISSING = (30, 50, 70)
"""Rates, in percent, at which entries are missing in the columns `missing_30` and so on."""


def column_names(modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of a comparison, see `Comparison.columns`.

    Example:
        >>> [name for name in column_names(["audio", "image"]) if name.startswith("u")]
        ['unimodal.audio', 'unimodal.image', 'utilisation.audio', 'utilisation.image', 'updates']
    """
    return (
        *("accuracy", "macro_f1", "loss", "ece"),
        *(f"unimodal.{name}" for name in modalities),
        *("edm", "edm_ability"),
        *(f"utilisation.{name}" for name in modalities),
        *("smallest_utilisation", "subset_mean", "missing_mean"),
        *(f"missing_{percent}" for percent in MISSING),
        *("missing_area", "updates", "seconds", "memory"),
    )


@dataclass(frozen=True)
class Failure:
    """A run that diverged: it has no numbers, and statistics leave it out.

    Args:
        method: the method's label.
        seed: the run's seed.
        reason: where it diverged, and what to do.
    """

    method: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Result:
    """The numbers of one finished run of a comparison.

    Args:
        method: the method's label.
        seed: the run's seed.
        test: `Measurement.to_dict` of the test part.
        validation_accuracy: accuracy on the whole validation part, with the best weights.
        best_epoch: the epoch whose weights were kept.
        updates: optimiser steps of each modality's encoder.
        seconds: of training, without validation.
        sizes: rows of the training, validation and test part; `pool` counts the training rows before labels were left
            out.
        reference: what each modality does in the seed's unimodal ensemble, by split (`Ability.to_dict`): what
            utilisation is relative to; empty if that ensemble diverged.
        memory: highest memory of training in MiB, see `equimodal.training.memory.PeakMemory`; None if unknown.
        split: how the seed's split was drawn, and which labels were left out.
        tuned: the settings chosen on validation, by dotted key; None if nothing was tuned.
    """

    method: str
    seed: int
    test: dict[str, Any]
    validation_accuracy: float
    best_epoch: int
    updates: dict[str, int]
    seconds: float
    sizes: dict[str, int]
    reference: dict[str, dict[str, Any]]
    memory: float | None = None
    split: dict[str, Any] = field(default_factory=dict)
    tuned: dict[str, Any] | None = None

    @classmethod
    def from_run(cls, run: Run, split: Mapping[str, Any], tuned: Mapping[str, Any] | None = None) -> Result:
        """Return the numbers of a run that has just finished, on a split of this provenance."""
        metrics = {
            "seed": run.config.seed,
            "best_epoch": run.best_epoch,
            "reference": plain_reference(run.reference),
            "validation": run.validation.to_dict(),
            "test": run.test.to_dict(),
        }
        return cls._assemble(run.config.method.label, metrics, run.history, split, tuned)

    @classmethod
    def from_folder(cls, folder: Path, method: str, tuned: Mapping[str, Any] | None = None) -> Result:
        """Return the numbers of a finished run from its folder, without loading its model.

        Raises:
            RunError: a file is missing or damaged.
        """
        try:
            metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
            config = read_yaml_file(folder / "config.yaml")
            history = read_history(folder / "history.jsonl")
            return cls._assemble(method, metrics, history, config["provenance"]["split"], tuned)
        except MALFORMED as error:
            raise RunError(
                f"{folder}: a file of the run is missing or damaged ({damage(error)}). Delete the folder to train it "
                "again."
            ) from error

    @classmethod
    def _assemble(
        cls,
        method: str,
        metrics: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        split: Mapping[str, Any],
        tuned: Mapping[str, Any] | None,
    ) -> Result:
        modalities = metrics["test"]["unimodal"]
        sizes = split["sizes"]
        drawn = {key: value for key, value in split.items() if key not in ("sizes", "pool", "source")}
        return cls(
            method=method,
            seed=metrics["seed"],
            test=metrics["test"],
            validation_accuracy=metrics["validation"]["accuracy"],
            best_epoch=metrics["best_epoch"],
            updates={name: sum(line["updates"].get(name, 0) for line in history) for name in modalities},
            seconds=sum(line["seconds"]["train"] for line in history),
            sizes={**sizes, "pool": split.get("pool", sizes["train"])},
            reference={part: dict(values) for part, values in (metrics["reference"] or {}).items()},
            memory=highest(history),
            split=json.loads(json.dumps(drawn)),  # the same from memory as from a file
            tuned=None if tuned is None else dict(tuned),
        )

    def columns(self) -> dict[str, float | None]:
        """Return the run's numbers by column (see `Comparison.columns`); None where undefined."""
        test = self.test
        used = test["utilisation"] or dict.fromkeys(test["unimodal"])
        known = [value for value in used.values() if value is not None]
        return {
            "accuracy": test["accuracy"],
            "macro_f1": test["macro_f1"],
            "loss": test["loss"],
            "ece": test["ece"],
            **{f"unimodal.{name}": scores["accuracy"] for name, scores in test["unimodal"].items()},
            "edm": test["contribution"]["edm"],
            "edm_ability": test.get("edm_ability"),  # runs of older versions have none
            **{f"utilisation.{name}": value for name, value in used.items()},
            "smallest_utilisation": min(known, default=None),
            "subset_mean": test["subset_mean"],
            "missing_mean": self._missing_mean(),
            **{
                f"missing_{percent}": value_missing(test["subsets"], len(test["unimodal"]), percent / 100)
                for percent in MISSING
            },
            "missing_area": area_missing(test["subsets"], len(test["unimodal"])),
            "updates": float(sum(self.updates.values())),
            "seconds": self.seconds,
            "memory": self.memory,
        }

    def _missing_mean(self) -> float | None:
        n = len(self.test["unimodal"])
        proper = [value for name, value in self.test["subsets"].items() if name and name.count("+") < n - 1]
        return float(np.mean(proper)) if proper else None
