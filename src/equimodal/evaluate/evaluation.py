"""A trained model on data: its own parts, or other data brought into its terms."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from equimodal.data.catalogue import DATASETS, load
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.models.classifier import Classifier
from equimodal.training.measure import Measurement, measure
from equimodal.training.run import Run
from equimodal.training.run import load as load_run


def evaluate_run(
    folder: str | Path,
    data: str | None = None,
    *,
    split: str = "test",
    present: Collection[str] | None = None,
) -> Measurement:
    """Measure a finished run's model.

    Args:
        folder: the run's folder.
        data: a built-in set or a path; None: the run's own data.
        split: which part, where the data are split.
        present: use these modalities only.

    Raises:
        ConfigError: an unknown split or modality.
        DataError: the data do not fit the model, or have no labels.
        RunError: there is no finished run.
    """
    run = load_run(folder)
    part = select_data(run, data, split=split, labels_required=True)
    name = split if data is None or part.name != Path(data).stem else part.name
    reference = (run.reference or {}).get(split) if data is None and present is None else None
    chosen = restrict(part, run.model, present)
    return measure(
        run.model,
        run.model.prepare(chosen),
        run.config.measure,
        split=name,
        reference=reference,
        seed=run.config.seed,
    )


def select_data(run: Run, data: str | None, *, split: str, labels_required: bool) -> Dataset:
    """Return the rows to work on, with labels in the model's classes.

    Raises:
        ConfigError: an unknown split.
        DataError: the data do not fit the model.
    """
    if data is None:
        settings = run.config.data
        whole: Dataset | Splits = load(settings.name, labels=settings.labels, split_seed=settings.split_seed)
    elif data in DATASETS.names():
        whole = load(data)
    else:
        whole = load_path(data, labels_required=labels_required)
    if isinstance(whole, Splits):
        parts = whole.parts()
        if split not in parts:
            raise ConfigError(f"--split: unknown part '{split}'.{did_you_mean(split, parts)}")
        whole = parts[split]
    return whole.with_classes(run.model.classes) if labels_required else whole


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
