"""Predictions of a trained model, written as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from pathlib import Path

from equimodal.errors import ConfigError
from equimodal.files import write_whole
from equimodal.inference.evaluation import rows_to_predict
from equimodal.models.predict import predict
from equimodal.training.run import load as load_run


def write_predictions(
    folder: str | Path,
    data: str,
    out: Path,
    *,
    split: str | None = None,
    present: Collection[str] | None = None,
    trust: Collection[str] = (),
) -> int:
    """Write one line per sample: its id, the predicted class, the probability of every class.

    Args:
        folder: the run's folder.
        data: a built-in set or a path; labels are not needed.
        out: a `.csv` file, or `.jsonl` for JSON lines.
        split: one part of data that are split; None: all rows.
        present: use these modalities only.
        trust: modules whose classes may be imported, see `equimodal.load`.

    Returns:
        The number of samples.

    Raises:
        ConfigError: another ending of `out`, an unknown split or modality, a module that is not trusted.
        DataError: the data do not fit the model.
        RunError: there is no finished run, or the file cannot be written.
    """
    if out.suffix not in (".csv", ".jsonl"):
        raise ConfigError(f"--out: expected a file that ends in .csv or .jsonl, got '{out.name}'.")
    run = load_run(folder, trust=trust)
    found = predict(run.model, rows_to_predict(run, data, split), present, cache=run.cache())
    classes, probabilities = found.classes, found.probabilities.tolist()
    ids, best = [str(identity) for identity in found.ids.tolist()], found.labels.tolist()

    def write_csv(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "prediction", *(f"p({name})" for name in classes)])
            for identity, name, row in zip(ids, best, probabilities, strict=True):
                writer.writerow([identity, name, *(f"{p:.6f}" for p in row)])

    def write_jsonl(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            for identity, name, row in zip(ids, best, probabilities, strict=True):
                line = {
                    "id": identity,
                    "prediction": name,
                    "probabilities": dict(zip(classes, row, strict=True)),
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    write_whole(out, write_csv if out.suffix == ".csv" else write_jsonl, then="write it again")
    return len(found)
