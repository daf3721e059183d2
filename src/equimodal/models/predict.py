"""Predictions of a classifier for any data, with any subset of the modalities present."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from equimodal.data.catalogue import load_rows
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError, did_you_mean, nearest
from equimodal.features.cache import FeatureCache, open_cache
from equimodal.models.classifier import Classifier
from equimodal.modes import evaluating


class HasModel(Protocol):
    """Anything that has a trained classifier, for instance a finished run."""

    model: Classifier


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of each sample.

    Args:
        classes: names of the classes (C,).
        probabilities: float32 (N, C), rows of which each sums to 1.
        ids: what identifies each sample (N,).

    Example:
        >>> found = Predictions(("no", "yes"), np.array([[0.2, 0.8], [0.9, 0.1]]), np.array(["a", "b"]))
        >>> found.labels.tolist(), len(found)
        (['yes', 'no'], 2)
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def labels(self) -> np.ndarray:
        """Name of the most probable class of each sample (N,)."""
        return np.array(self.classes)[self.probabilities.argmax(-1)]


def predict(
    model: Classifier | HasModel,
    data: Dataset | str | Path,
    present: Collection[str] | None = None,
    *,
    batch_size: int = 256,
    cache: FeatureCache | str | Path | bool | None = None,
) -> Predictions:
    r"""Return the probability of each class for each sample.

    $p(c \mid x) = \mathrm{softmax}(f(x))_c$, where $f(x)$ are the logits of the modalities that the sample has. A
    sample without any gets the class shares of the training data. Labels are ignored, if there are any.

    Args:
        model: a trained classifier, or a run (`eq.fit`, `eq.load`).
        data: a data set; or a path (folder, `.npz`, YAML) or the name of a built-in set, of which all rows are taken.
            A modality of the model that the data lack counts as absent.
        present: use these modalities only, as if the others were absent; None: all that are present.
        batch_size: rows per batch; the result does not depend on it, nor on the order of the rows.
        cache: a folder where the outputs of frozen encoders are kept, or True for the user's own; None: no cache.

    Raises:
        ConfigError: `present` names a modality that the model does not know.
        DataError: the data hold a modality that the model does not know, none that it knows, or an array of another
            shape than the model was made for.

    Example:
        >>> import equimodal as eq
        >>> y = np.arange(60) % 2
        >>> data = eq.Dataset({"a": y[:, None] + np.zeros((60, 2)), "b": np.ones((60, 3))}, y, classes=["no", "yes"])
        >>> splits = data.split(seed=0)
        >>> run = eq.fit(eq.Classifier.for_data(splits), splits, "joint", epochs=9, learning_rate=0.05, quiet=True)
        >>> new = eq.Dataset({"a": np.array([[0.0, 0.0], [1.0, 1.0]])})  # b is lacking: it counts as absent
        >>> found = eq.predict(run, new)
        >>> found.labels.tolist(), found.probabilities.shape
        (['no', 'yes'], (2, 2))
    """
    classifier = model if isinstance(model, Classifier) else getattr(model, "model", None)
    if not isinstance(classifier, Classifier):
        raise ConfigError(
            f"model: expected a Classifier or a run, got {type(model).__name__}. Load a run's folder: eq.load(folder)."
        )
    if isinstance(data, (str, Path)):
        data = load_rows(data)
    if not isinstance(data, Dataset):
        advice = " Name a part: data.test." if hasattr(data, "test") else ""
        raise DataError(f"data: expected a Dataset or a path, got {type(data).__name__}.{advice}")
    cache = cache if isinstance(cache, FeatureCache) else open_cache(cache)
    found = class_probabilities(classifier, data, present, batch_size=batch_size, cache=cache)
    return Predictions(classifier.classes, found.numpy(), data.ids)


@torch.no_grad()
def class_probabilities(
    model: Classifier,
    data: Dataset,
    present: Collection[str] | None = None,
    *,
    batch_size: int = 256,
    cache: FeatureCache | None = None,
) -> Tensor:
    """Return class probabilities (N, C) on the CPU; see `predict`. The model's mode stays as it was."""
    data = model.prepare(restrict(data, model, present), cache)
    with evaluating(model):
        logits = [model(batch.to(model.device)).float().cpu() for batch in data.batches(batch_size)]
    return torch.cat(logits).softmax(-1)


def restrict(data: Dataset, model: Classifier, present: Collection[str] | None = None) -> Dataset:
    """Return the data with only the modalities `present`, after a check that the model knows those of the data.

    Raises:
        ConfigError: `present` names a modality that the model does not know.
        DataError: the data hold a modality that the model does not know, or none of those wanted.
    """
    known = model.modalities
    if isinstance(present, str):
        raise ConfigError(f"present: expected a list of modalities, got '{present}'. Write ['{present}'].")
    wanted = list(known if present is None else present)
    problems = [
        f"present: unknown modality '{name}'.{did_you_mean(name, known)}" for name in wanted if name not in known
    ]
    if problems:
        raise ConfigError(problems)
    strange = [name for name in data.modalities if name not in known]
    if strange:
        hints = "".join(nearest(name, [m for m in known if m not in data.modalities]) for name in strange)
        raise DataError(
            f"{data.name}: the model does not know {', '.join(repr(name) for name in strange)}; the model was made for "
            f"{', '.join(known)}.{hints} Rename what is meant, and leave out what is not (a data.yaml names the "
            "arrays to read)."
        )
    here = [name for name in wanted if name in data.modalities]
    if wanted and not here:
        raise DataError(
            f"{data.name}: holds {', '.join(data.modalities)}, none of which is asked for here "
            f"({', '.join(wanted)}). The model knows {', '.join(known)}."
        )
    return data.restrict(here)
