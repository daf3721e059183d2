"""A trained model on data: its own parts, or other data counted in its classes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equimodal.config.controls import Controls
from equimodal.data.catalogue import DATASETS, load, load_configured, load_rows
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_label_names, load_labelled, load_unlabelled
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.models.encoded import encode_all
from equimodal.models.predict import restrict
from equimodal.training.ability import Ability
from equimodal.training.folder import read_provenance
from equimodal.training.measure import Measurement, measure
from equimodal.training.run import Run
from equimodal.training.run import load as load_run


def evaluate_run(
    folder: str | Path,
    data: str | None = None,
    *,
    split: str | None = None,
    present: Collection[str] | None = None,
    trust: Collection[str] = (),
) -> Measurement:
    """Measure a finished run's model.

    Args:
        folder: the run's folder.
        data: a built-in set or a path; None: the run's own data.
        split: which part of data that are split; None: test, or all rows of data that are not split.
        present: use these modalities only.
        trust: modules whose classes may be imported, see `equimodal.load`.

    Raises:
        ConfigError: an unknown split or modality, a split of data that are not split, or a module that is not trusted.
        DataError: the data do not fit the model, have no labels, or have a label outside the model's classes; or the
            run's own data cannot be loaded again.
        RunError: there is no finished run.
    """
    run = load_run(folder, trust=trust)
    chosen = rows_to_measure(run, data, split=split, present=present)
    return measure(
        run.model,
        encode_all(run.model, run.model.prepare(chosen.rows, run.cache())),
        run.config.measure,
        split=chosen.split,
        reference=chosen.reference,
        seed=run.config.seed,
    )


@dataclass(frozen=True)
class Chosen:
    """Labelled rows to measure a run's model on.

    Args:
        rows: as they were given, not prepared for the encoders.
        split: name of the part.
        reference: what each modality can do alone on them, where the run knows it.
        own: whether they are the run's own test rows, with all their modalities.
        validation: the run's own validation rows with all their modalities, where the rows are a part of its own data.
    """

    rows: Dataset
    split: str
    reference: Ability | None = None
    own: bool = False
    validation: Dataset | None = None


def rows_to_measure(
    run: Run, data: str | None = None, *, split: str | None = None, present: Collection[str] | None = None
) -> Chosen:
    """Return the rows to measure a run's model on; see `evaluate_run`, whose arguments and errors these are."""
    classes = run.model.classes
    if data is None or _is_own(run, data):
        name, whole, splits = split or "test", present is None, _own(run)
        return Chosen(
            rows=restrict(_part(splits, name), run.model, present),
            split=name,
            reference=(run.reference or {}).get(name) if whole else None,
            own=whole and name == "test",
            validation=restrict(splits.validation, run.model, None),
        )
    if data in DATASETS.names():
        part = _part(load(data), split or "test").with_classes(classes)
        return Chosen(restrict(part, run.model, present), split or "test")
    part = load_labelled(data, classes, split)
    return Chosen(restrict(part, run.model, present), split or part.name)


def rows_to_predict(run: Run, data: str, split: str | None) -> Dataset:
    """Return the rows of data to predict: one part of split data, or all rows.

    Raises:
        ConfigError: an unknown split, or one of data that are not split; or all rows of the run's own data, where it
            was trained with controls.
        DataError: the data are wrong.
    """
    controlled = any(getattr(run.config.data, name) for name in Controls.model_fields)
    if split is None and controlled and _is_own(run, data):
        raise ConfigError(
            "--split: the run was trained on these data with noise, distractors or missing entries, which are drawn "
            "for each part. Name a part: --split test."
        )
    if split is None:
        return load_rows(data)
    if _is_own(run, data):
        return _part(_own(run), split)
    return _part(load(data), split) if data in DATASETS.names() else load_unlabelled(data, split)


def labels_beside(rows: Dataset, data: str, split: str | None) -> np.ndarray | None:
    """Return the label of each of `rows_to_predict` by name; None where the data have none that can be read.

    Labels decide nothing of a prediction, so that a mistake in them is none here.
    """
    if rows.labels is not None or data in DATASETS.names():
        return rows.label_names
    found = load_label_names(data, split)
    return found if found is not None and len(found) == len(rows) else None


def _own(run: Run) -> Splits:
    """Return the run's data in the parts in which the run saw them."""
    settings = run.config.data
    try:
        splits = load_configured(settings)
    except ConfigError as error:
        raise DataError(f"The run's own data cannot be loaded again. {error} Give data with --data PATH.") from error
    if run.folder is not None and splits.fingerprint() != read_provenance(run.folder).get("data"):
        raise DataError(
            f"{settings.name}: is not what the run in {run.folder} was trained on: rows, values or split differ, so "
            "that training rows could pass for test rows. Give data that the run has not seen, with --data PATH and "
            "a path of their own."
        )
    return splits


def _is_own(run: Run, data: str) -> bool:
    name = run.config.data.name
    if data == name:
        return True
    return (
        data not in DATASETS.names() and name not in DATASETS.names() and Path(data).resolve() == Path(name).resolve()
    )


def _part(whole: Splits, split: str) -> Dataset:
    parts = whole.parts()
    if split not in parts:
        raise ConfigError(f"--split: unknown part '{split}'.{did_you_mean(split, parts)}")
    return parts[split]
