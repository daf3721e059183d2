"""What a run says of each test row, and what each modality has to do with it: `predictions.csv`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch

from equimodal.errors import MALFORMED, RunError, damage
from equimodal.files import write_whole
from equimodal.training.outputs import Outputs, label_log_probabilities

FILE = "predictions.csv"
HEAD = ("id", "label", "prediction", "right")
OF_EACH = ("decision", "p(label)", "contribution")
"""Columns of each modality, after its name."""


@dataclass(frozen=True, eq=False)
class SamplePredictions:
    r"""What a model says of each of N rows, and what each modality says of it and adds to it.

    The contribution of a modality to a row is its Shapley value in the game
    $v(S) = \log p(\text{label} \mid \text{the row's modalities in } S)$, in nats. The contributions of a row sum to
    what all modalities add to the label prior, $\log p(\text{label} \mid \text{all}) - \log p(\text{label})$. One below
    0 says that the modality speaks against the label; the contribution of one that the row lacks is 0.

    Args:
        classes: names (C,).
        ids: what identifies each row (N,), as text.
        labels: name of the true class (N,).
        predicted: name of the most probable class (N,).
        probabilities: of each class (N, C).
        decisions: by modality, the name of the class that it decides for alone (N,); empty where the row lacks it.
        label_probabilities: by modality, the probability that it gives the label alone (N,); NaN where it is lacking.
        contributions: by modality, in nats (N,).

    Source: the contribution is the paper's Shapley value, taken for one row.
    """

    classes: tuple[str, ...]
    ids: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    decisions: dict[str, np.ndarray]
    label_probabilities: dict[str, np.ndarray]
    contributions: dict[str, np.ndarray]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.decisions)

    @property
    def right(self) -> np.ndarray:
        """Whether each row is classified correctly, bool (N,)."""
        return self.predicted == self.labels

    def __len__(self) -> int:
        return len(self.ids)


def sample_predictions(
    outputs: Outputs, ids: np.ndarray, classes: Sequence[str], modalities: Sequence[str]
) -> SamplePredictions:
    """Return what a model's outputs say of each row; nothing runs again.

    Args:
        outputs: of the model, see `outputs_of`.
        ids: of the rows (N,).
        classes: names.
        modalities: names, in the model's order.
    """
    labels, names = outputs.labels, np.array(classes)
    contributions = outputs.plan.shapley(label_log_probabilities(outputs.coalitions, labels).T)  # (N, n)
    of_label = label_log_probabilities(outputs.alone, labels).exp().where(outputs.present.T, torch.nan)
    decided = names[outputs.alone.argmax(-1).numpy()]
    return SamplePredictions(
        classes=tuple(classes),
        ids=np.asarray(ids).astype(str),
        labels=names[labels.numpy()],
        predicted=names[outputs.full.argmax(-1).numpy()],
        probabilities=outputs.full.double().softmax(-1).numpy(),
        decisions={m: np.where(outputs.present[:, i].numpy(), decided[i], "") for i, m in enumerate(modalities)},
        label_probabilities={m: of_label[i].numpy() for i, m in enumerate(modalities)},
        contributions={m: contributions[:, i].numpy() for i, m in enumerate(modalities)},
    )


def save_predictions(path: Path, found: SamplePredictions) -> None:
    """Write predictions as CSV, numbers with 6 significant digits.

    Columns are `id`, `label`, `prediction`, `right` (1 or 0), `p(CLASS)` for each class, and for each modality
    `MODALITY: decision`, `MODALITY: p(label)` (both empty where the row lacks it) and `MODALITY: contribution`.

    Raises:
        RunError: it cannot be written.
    """
    header = [*HEAD, *(f"p({name})" for name in found.classes)]
    header += [f"{name}: {what}" for name in found.modalities for what in OF_EACH]

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row, right in enumerate(found.right.tolist()):
                said = [found.ids[row], found.labels[row], found.predicted[row], int(right)]
                said += [f"{p:.6g}" for p in found.probabilities[row].tolist()]
                for name in found.modalities:
                    decision, added = found.decisions[name][row], found.contributions[name][row]
                    of_label = f"{found.label_probabilities[name][row]:.6g}" if decision else ""
                    said += [decision, of_label, f"{added:.6g}"]
                writer.writerow(said)

    write_whole(path, write)


def read_predictions(path: str | Path) -> SamplePredictions:
    """Return the predictions of a run on its test part.

    Args:
        path: the run's folder, or its `predictions.csv`.

    Raises:
        RunError: there is no such file, or it is damaged.

    Example:
        >>> import tempfile, equimodal as eq
        >>> y = np.arange(60) % 2
        >>> data = eq.Dataset({"a": y[:, None] + np.zeros((60, 2)), "b": np.ones((60, 3))}, y, classes=["no", "yes"])
        >>> splits = data.split(seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = eq.fit(eq.Classifier.for_data(splits), splits, "joint", out=folder, epochs=1, quiet=True)
        ...     found = read_predictions(folder)
        >>> found.classes, found.modalities, found.probabilities.shape, found.right.mean() == run.test.accuracy
        (('no', 'yes'), ('a', 'b'), (12, 2), np.True_)
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise RunError(
            f"{path}: there is no such file. Earlier versions did not write it; 'train --resume' of a finished run "
            "adds it."
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = csv.reader(file)
        return _parse(header, lines)
    except MALFORMED as error:
        raise RunError(
            f"{path}: is damaged ({damage(error)}). 'train --resume' on the run's folder writes it again."
        ) from error


def _parse(header: list[str], lines: list[list[str]]) -> SamplePredictions:
    start, step = len(HEAD), len(OF_EACH)
    classes = tuple(name[2:-1] for name in takewhile(lambda name: name.startswith("p("), header[start:]))
    end = start + len(classes)
    modalities = [name.removesuffix(f": {OF_EACH[0]}") for name in header[end::step]]
    if header[end:] != [f"{name}: {what}" for name in modalities for what in OF_EACH]:
        raise ValueError("its columns are not those of predictions")
    cells = np.array(lines, dtype=str).reshape(-1, len(header))
    of_each = {name: cells[:, end + step * i : end + step * (i + 1)].T for i, name in enumerate(modalities)}
    return SamplePredictions(
        classes=classes,
        ids=cells[:, 0],
        labels=cells[:, 1],
        predicted=cells[:, 2],
        probabilities=cells[:, start:end].astype(float),
        decisions={name: columns[0] for name, columns in of_each.items()},
        label_probabilities={
            name: np.array([float(cell) if cell else np.nan for cell in columns[1].tolist()])
            for name, columns in of_each.items()
        },
        contributions={name: columns[2].astype(float) for name, columns in of_each.items()},
    )
