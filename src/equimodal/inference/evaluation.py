"""A trained model on data: its own parts, or other data brought into its terms."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

from equimodal.data.catalogue import DATASETS, load
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_path
from equimodal.data.rows import concatenate
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import encode_all
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
) -> Measurement:
    """Measure a finished run's model.

    Args:
        folder: the run's folder.
        data: a built-in set or a path; None: the run's own data.
        split: which part of data that are split; None: test, or all rows of data that are not split.
        present: use these modalities only.

    Raises:
        ConfigError: an unknown split or modality, or a split of data that are not split.
        DataError: the data do not fit the model, or have no labels; or the run's own data cannot be had again.
        RunError: there is no finished run.
    """
    run = load_run(folder)
    whole = _load(run, data, labels_required=True)
    part = _part(whole, split or ("test" if isinstance(whole, Splits) else None)).with_classes(run.model.classes)
    name = split or "test" if isinstance(whole, Splits) else part.name
    own = isinstance(whole, Splits) and _is_own(run, data)
    reference = (run.reference or {}).get(name) if own and present is None else None
    chosen = restrict(part, run.model, present)
    return measure(
        run.model,
        encode_all(run.model, run.model.prepare(chosen)),
        run.config.measure,
        split=name,
        reference=reference,
        seed=run.config.seed,
    )


def rows_to_predict(run: Run, data: str, split: str | None) -> Dataset:
    """Return the rows of data to predict: one part of split data, or all rows.

    Raises:
        ConfigError: an unknown split, or one of data that are not split.
        DataError: the data are wrong.
    """
    if split is not None:
        return _part(_load(run, data, labels_required=False), split)
    if data in DATASETS.names():
        return concatenate(list(load(data).parts().values()))
    return cast(Dataset, load_path(data, labels_required=False, split=False))


def _load(run: Run, data: str | None, *, labels_required: bool) -> Dataset | Splits:
    """Return data in the parts in which the run saw them, where they are the run's own."""
    if data is not None and not _is_own(run, data):
        return load(data) if data in DATASETS.names() else load_path(data, labels_required=labels_required)
    settings = run.config.data
    try:
        splits = load(settings.name, labels=settings.labels, split_seed=settings.split_seed)
    except ConfigError as error:
        raise DataError(f"The run's own data cannot be loaded again. {error} Give data with --data PATH.") from error
    if run.folder is not None and splits.fingerprint() != read_provenance(run.folder).get("data"):
        raise DataError(
            f"{settings.name}: is not what the run in {run.folder} was trained on: rows, values or split differ, so "
            "that training rows could pass for test rows. Give data that the run has not seen, with --data PATH and "
            "a path of their own."
        )
    return splits


def _is_own(run: Run, data: str | None) -> bool:
    name = run.config.data.name
    if data is None or data == name:
        return True
    return (
        data not in DATASETS.names() and name not in DATASETS.names() and Path(data).resolve() == Path(name).resolve()
    )


def _part(whole: Dataset | Splits, split: str | None) -> Dataset:
    if isinstance(whole, Dataset):
        if split is not None:
            raise ConfigError(f"--split: '{whole.name}' is not split into parts. Leave --split out: all rows are used.")
        return whole
    parts = whole.parts()
    if split not in parts:
        raise ConfigError(f"--split: unknown part '{split}'.{did_you_mean(str(split), parts)}")
    return parts[split]


def restrict(data: Dataset, model: Classifier, present: Collection[str] | None) -> Dataset:
    """Return the data with only ``present`` of the model's modalities.

    Raises:
        ConfigError: a name is no modality of the model.
        DataError: the data hold none of those modalities.
    """
    wanted = list(model.modalities if present is None else present)
    unknown = [name for name in wanted if name not in model.modalities]
    if unknown:
        raise ConfigError(
            [f"--present: unknown modality '{name}'.{did_you_mean(name, model.modalities)}" for name in unknown]
        )
    here = [name for name in wanted if name in data.modalities]
    if not here:
        raise DataError(
            f"{data.name}: holds {', '.join(data.modalities)}, none of which is wanted here "
            f"({', '.join(wanted) or 'nothing'}). The model knows {', '.join(model.modalities)}."
        )
    return data.restrict(here)
