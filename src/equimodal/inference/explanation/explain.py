"""Explain a finished run's model on labelled rows: one pass of the encoders, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from equimodal.contribution.shapley import plan
from equimodal.contribution.units import units_of
from equimodal.data.dataset import Dataset
from equimodal.errors import DataError
from equimodal.inference.evaluation import Chosen, rows_to_measure
from equimodal.inference.explanation.confusion import Confusion, confusion
from equimodal.inference.explanation.misleading import Misleading, misleading
from equimodal.inference.explanation.parts import Part, by_class, by_group, whole
from equimodal.inference.explanation.reliability import Reliability, reliability
from equimodal.models.encoded import coalition_outputs, encode_all
from equimodal.seeds import derive_seed
from equimodal.training.measure import Measurement, measure_outputs
from equimodal.training.outputs import Outputs, outputs_of
from equimodal.training.predictions import SamplePredictions, sample_predictions
from equimodal.training.run import Run


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where a model is right, and which modality adds to it or misleads it.

    Args:
        rows: the rows measured, as they were given.
        split: name of the part.
        measured: the numbers of all rows, with the interactions of pairs.
        predictions: what the model says of each row.
        overall: accuracy and contributions on all rows.
        classes: the same on the rows of each class.
        groups: the same on the rows of each group, or of the ten largest of more than 50; empty where there are none.
        group_count: how many groups there are; None where rows stand alone.
        misleading: rows that one modality misleads.
        reliability: how far the probabilities can be trusted.
        confusion: which classes are taken for which.
        notes: what a reader must know.
    """

    rows: Dataset
    split: str
    measured: Measurement
    predictions: SamplePredictions
    overall: Part
    classes: tuple[Part, ...]
    groups: tuple[Part, ...]
    group_count: int | None
    misleading: Misleading
    reliability: Reliability
    confusion: Confusion
    notes: tuple[str, ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return self.predictions.modalities


def explain(run: Run, chosen: Chosen) -> Explanation:
    """Explain a run's model on labelled rows; each encoder runs once over them, and once over validation.

    Args:
        run: a finished run.
        chosen: the rows, see `equimodal.inference.evaluation.rows_to_measure`.

    Raises:
        Diverged: an output of the model is infinite or NaN.
        DataError: there are no rows.
    """
    model, rows, settings = run.model, chosen.rows, run.config.measure
    seed = derive_seed(run.config.seed, chosen.split)  # as the run measured its own parts
    names = model.modalities
    scheme = plan(len(names), budget=settings.budget, seed=seed)
    encoded = list(encode_all(model, model.prepare(rows, run.cache())))
    outputs = outputs_of(model, encoded, scheme, chosen.split)
    without, _ = coalition_outputs(model, encoded, ~torch.eye(len(names), dtype=torch.bool))
    found = sample_predictions(outputs, rows.ids, model.classes, names)
    correct_alone = (outputs.alone.argmax(-1) == outputs.labels).numpy()
    groups = rows.groups
    return Explanation(
        rows=rows,
        split=chosen.split,
        measured=measure_outputs(outputs, names, settings, split=chosen.split, seed=seed, reference=chosen.reference),
        predictions=found,
        overall=whole(found, correct_alone, groups, seed),
        classes=tuple(by_class(found, correct_alone, groups, seed)),
        groups=() if groups is None else tuple(by_group(found, correct_alone, groups, seed)),
        group_count=None if groups is None else len(np.unique(groups)),
        misleading=misleading(outputs, without, names),
        reliability=_reliability(run, chosen, outputs.full, outputs.labels),
        confusion=confusion(outputs.labels.numpy(), outputs.full.argmax(-1).numpy(), model.classes),
        notes=tuple(_notes(outputs, groups)),
    )


def _notes(outputs: Outputs, groups: np.ndarray | None) -> Iterator[str]:
    if not outputs.plan.exact:
        yield (
            f"Contributions are estimated from {len(outputs.plan.coalitions)} coalitions of the modalities, and "
            "interactions of pairs are not computed: that takes every coalition."
        )
    lacking = int((~outputs.present).any(-1).sum())
    if lacking:
        yield (
            f"{lacking} of {len(outputs.labels)} rows lack a modality. Alone, it answers them with the label prior, "
            "and its contribution to them is 0."
        )
    for note in units_of(groups, len(outputs.labels)).notes():
        yield f"{note}."


def _reliability(run: Run, chosen: Chosen, logits: torch.Tensor, labels: torch.Tensor) -> Reliability:
    """Return how far the probabilities can be trusted, with a temperature where the run's validation rows are there."""
    try:
        own = chosen.validation
        validation = rows_to_measure(run, split="validation").rows if own is None else own
    except DataError as error:
        return reliability(logits, labels, None, f"No temperature is fitted. {error}")
    model = run.model
    everything = torch.ones(1, len(model.modalities), dtype=torch.bool)
    encoded = encode_all(model, model.prepare(validation, run.cache()))
    known, true = coalition_outputs(model, encoded, everything)
    same = validation.name == chosen.rows.name and np.array_equal(validation.ids, chosen.rows.ids)
    note = "The temperature is fitted on these very rows, which flatters it." if same else ""
    return reliability(logits, labels, (known[0], true), note)
