"""A finished run: its model, its numbers, and loading it from its folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from equimodal.config.run import RunConfig
from equimodal.data.dataset import Dataset
from equimodal.errors import MALFORMED, RunError, damage
from equimodal.features.cache import FeatureCache, open_cache
from equimodal.models.classifier import Classifier
from equimodal.models.predict import Predictions, predict
from equimodal.training.ability import Reference, read_reference
from equimodal.training.folder import read_config
from equimodal.training.history import read_history
from equimodal.training.measure import Measurement
from equimodal.training.weights import MODEL, load_model

REFERENCE = "unimodal_ensemble"
"""The method that the reference of a run is trained with."""
METRICS = "metrics.json"
AGAIN = "Train the run again into another folder: its config.yaml is a recipe."


@dataclass
class Run:
    """A finished run.

    Args:
        model: the classifier with the weights of its best epoch.
        config: what it was trained with.
        history: one line per epoch.
        validation: measured on the whole validation part, with the best weights.
        test: measured once on test, after everything was chosen.
        reference: what each modality can do alone, by split; None without a reference.
        folder: where it is kept, or None.
    """

    model: Classifier
    config: RunConfig
    history: list[dict[str, Any]]
    validation: Measurement
    test: Measurement
    reference: Reference | None = None
    folder: Path | None = None

    def predict(
        self, data: Dataset | str | Path, present: Collection[str] | None = None, *, batch_size: int = 256
    ) -> Predictions:
        """Return the probability of each class for each sample: `equimodal.predict` with the run's cache."""
        return predict(self.model, data, present, batch_size=batch_size, cache=self.cache())

    def cache(self) -> FeatureCache | None:
        """Return the cache of features that it was trained with, where that is on this machine and may be written."""
        return open_cache(self.config.features.cache, make=False)

    @property
    def trust(self) -> dict[str, float] | None:
        """Weight of each modality in the fitted pool of the model's decisions, of mean 1; None: it has none."""
        return self.model.fusion.trust()

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights were kept."""
        return max(line["epoch"] for line in self.history if line["best"])

    def __str__(self) -> str:
        lines = [f"{self.config.method.label} on {self.config.data.title}", str(self.test)]
        if (trust := self.trust) is not None:
            each = ", ".join(f"{name} {weight:.2f}" for name, weight in trust.items())
            lines.append(f"weight in the fitted pool: {each} (mean 1)")
        return "\n".join([*lines, f"best epoch {self.best_epoch} of {len(self.history)}"])


def load(folder: str | Path, encoders: Mapping[str, nn.Module] | None = None, *, trust: Collection[str] = ()) -> Run:
    """Return a finished run from its folder.

    Args:
        folder: the run's folder.
        encoders: the modules of yours that the model was made with, if any.
        trust: modules whose classes may be imported where the run names one as an encoder (`module:Class`). Importing
            runs their code, so that nothing is imported that is not named here.

    Raises:
        ConfigError: an encoder of yours is missing, or its class is of a module that is not trusted, or cannot be
            imported or made.
        RunError: there is no finished run, or a file is damaged.

    Example:
        >>> import tempfile, numpy as np, equimodal as eq
        >>> y = np.arange(60) % 2
        >>> data = eq.Dataset({"a": y[:, None] + np.zeros((60, 2)), "b": np.ones((60, 3))}, y).split(seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = eq.fit(eq.Classifier.for_data(data), data, "joint", out=folder, epochs=1, quiet=True)
        ...     eq.load(folder).test == run.test
        True
    """
    folder = Path(folder)
    if not (folder / METRICS).is_file():
        raise RunError(f"{folder}: holds no finished run ({_what_is_there(folder)}).")
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        validation, test = (Measurement.from_dict(metrics[part]) for part in ("validation", "test"))
        reference = read_reference(metrics["reference"])
    except MALFORMED as error:
        raise RunError(f"{folder / METRICS}: is damaged ({damage(error)}). {AGAIN}") from error
    return Run(
        model=load_model(folder / MODEL, encoders, trust),
        config=read_config(folder),
        history=_read_history(folder / "history.jsonl"),
        validation=validation,
        test=test,
        reference=reference,
        folder=folder,
    )


def _what_is_there(folder: Path) -> str:
    """Return in words what a folder holds in place of a finished run."""
    if not folder.is_dir():
        return "it is a file" if folder.exists() else "there is no such folder"
    if (folder / "checkpoint").exists():
        return "it was not finished: continue with --resume"
    below = [path.parent for pattern in ("*", "*/*") for path in sorted(folder.glob(f"{pattern}/{METRICS}"))]
    return f"no run; there are some below it, for instance {below[0]}" if below else "no run"


def _read_history(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a finished run's history.

    Raises:
        RunError: it is missing, or holds something else.
    """
    lines = read_history(path)
    try:
        for line in lines:
            Measurement.from_dict(line["validation"])
            for part in ("train", "seconds", "updates"):
                line[part].items()
            if lacking := {"phase", "order"} - line.keys():
                raise ValueError(f"a line lacks '{min(lacking)}'")
        if not any(line["best"] and line["epoch"] and not line.get("trial", False) for line in lines):
            raise ValueError("no epoch is marked as the one whose weights were kept")
    except MALFORMED as error:
        raise RunError(f"{path}: is damaged ({damage(error)}). {AGAIN}") from error
    return lines
