"""Predictions of a trained model, written as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.errors import ConfigError
from equimodal.files import write_whole
from equimodal.inference.evaluation import labels_beside, rows_to_predict
from equimodal.models.predict import predict
from equimodal.training.run import load as load_run


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        samples: the number of rows.
        right: how many of them are classified correctly; None where the data have no labels.
    """

    samples: int
    right: int | None

    def __str__(self) -> str:
        if self.right is None:
            return f"{self.samples} predictions"
        return f"{self.samples} predictions, {self.right} right ({self.right / self.samples:.1%})"


def write_predictions(
    folder: str | Path,
    data: str,
    out: Path,
    *,
    split: str | None = None,
    present: Collection[str] | None = None,
    trust: Collection[str] = (),
) -> Written:
    """Write one line per sample: its id, the predicted class, the probability of every class.

    Where the data have labels, the label stands beside the prediction, and whether that is right. Labels change no
    prediction, and may be of classes that the model does not know.

    Args:
        folder: the run's folder.
        data: a built-in set or a path; labels are not needed.
        out: a `.csv` file, or `.jsonl` for JSON lines.
        split: one part of data that are split; None: all rows.
        present: use these modalities only.
        trust: modules whose classes may be imported, see `equimodal.load`.

    Returns:
        The number of samples, and how many are right.

    Raises:
        ConfigError: another ending of `out`, an unknown split or modality, a module that is not trusted.
        DataError: the data do not fit the model.
        RunError: there is no finished run, or the file cannot be written.
    """
    if out.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"--out: expected a file that ends in .csv or .jsonl, got '{out.name}'.")
    run = load_run(folder, trust=trust)
    rows = rows_to_predict(run, data, split)
    found = predict(run.model, rows, present, cache=run.cache())
    labels = labels_beside(rows, data, split)
    right = None if labels is None else labels == found.labels
    # What is said of each sample, but for its probabilities: columns by name.
    said: dict[str, list[Any]] = {"id": [str(identity) for identity in found.ids.tolist()]}
    said["prediction"] = found.labels.tolist()
    if labels is not None and right is not None:
        said |= {"label": labels.tolist(), "right": right.tolist()}

    def write_csv(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*said, *(f"p({name})" for name in found.classes)])
            for *cells, row in zip(*said.values(), found.probabilities.tolist(), strict=True):
                plain = [int(cell) if isinstance(cell, bool) else cell for cell in cells]
                writer.writerow([*plain, *(f"{p:.6g}" for p in row)])

    def write_jsonl(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            for *cells, row in zip(*said.values(), found.probabilities.tolist(), strict=True):
                line = dict(zip(said, cells, strict=True))
                line["probabilities"] = dict(zip(found.classes, row, strict=True))
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    write_whole(out, write_csv if out.suffix == ".csv" else write_jsonl, then="write it again")
    return Written(len(found), None if right is None else int(right.sum()))
