"""Does the threshold of the sample-level mapping matter, and does it keep anything at all?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from equimodal.analyses.base import Analysis, Arm, Found, Line, make_arm, memory_fusion
from equimodal.analyses.tables import (
    SMALLEST,
    block,
    differences,
    lines_of_arms,
    means,
    scores,
    told_scores,
)
from equimodal.config.method import MethodSpec
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.methods.equilibrium import EquilibriumConfig
from equimodal.models.classifier import Classifier
from equimodal.models.fusions.memory import MemoryFusion
from equimodal.models.mapping import alignment_weights
from equimodal.seeds import permutation
from equimodal.statistics.estimates import Estimate
from equimodal.tables.table import Table
from equimodal.tables.words import join_names, number
from equimodal.training.run import Run

VALUES = (0.1, 0.3, 0.5, 0.7, 0.9)
ALIGNMENT = 0.1
"""Weight of the alignment term where the recipe has none of its own."""
OFF = "no tau"
"""What the arm is called in which the sample level is switched off: the reference of the others."""
INERT = 0.001
"""Share of the correlations under which a threshold is called inert (ours)."""


class Tau(Analysis):
    """The threshold of the sample-level mapping at several values, with the alignment term and without.

    Args:
        recipes: what is analysed.
        values: of ``mapping.tau``.

    Raises:
        ConfigError: a recipe is of another method or has no mapping; a value is out of range or there twice.
    """

    kind = "tau"
    title = "Threshold of the mapping"

    def __init__(self, recipes: Sequence[MethodSpec], values: Sequence[float] = VALUES) -> None:
        super().__init__(recipes)
        problems = [
            f"analyse tau: '{recipe.label}' has no memory, and so no mapping. Set memory.enabled=true."
            for recipe in recipes
            if not _config(recipe).memory.enabled
        ]
        problems += [f"--values: expected numbers above 0 and up to 1, got {v:g}." for v in values if not 0 < v <= 1]
        if not values:
            problems.append("--values: expected some numbers, got none.")
        problems += [f"--values: {one:g} is there twice." for one, two in pairwise(sorted(values)) if one == two]
        if problems:
            raise ConfigError(problems)
        self.tau_values = tuple(sorted(values))

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return each value and the sample level switched off, for each weight of the alignment term."""
        made, left_out = [], []
        for recipe in self.recipes:
            for weight in (0.0, _config(recipe).mapping.alignment or ALIGNMENT):
                term = f"alignment {weight:g}" if weight else "no alignment"
                fixed = {"mapping.alignment": weight}
                try:
                    base = make_arm(recipe, {"term": term, "tau": OFF}, {**fixed, "mapping.sample": False})
                except ConfigError as error:
                    left_out.append(str(error))
                    continue
                made.append(base)
                for value in self.tau_values:
                    options = {**fixed, "mapping.sample": True, "mapping.tau": value}
                    made.append(make_arm(recipe, {"term": term, "tau": f"tau {value:g}"}, options, base.label))
        return made, left_out

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return the share of correlations that the run's threshold keeps, on training batches."""
        train = run.model.prepare(data().train)
        return kept(run.model, memory_fusion(run), train, run.config.training.batch_size, run.config.seed)

    @staticmethod
    def lines(found: Found) -> list[Line]:
        """Return a row for each arm."""
        return lines_of_arms(found)

    @staticmethod
    def blocks(found: Found) -> list[Table]:
        """Return the tables: accuracy and balance, modalities alone, and what the threshold keeps."""
        lines, names = lines_of_arms(found), found.comparison.modalities
        swept = [line for line in lines if line.against]
        against = "Set against the same recipe with the sample level switched off; paired by seed."
        return [
            block("Accuracy and balance", f"{against} {SMALLEST}", lines, *scores(found, lines)),
            block(
                "Modalities alone",
                f"Accuracy on test where only one modality is there. {against}",
                lines,
                *(
                    column
                    for name in names
                    for column in (
                        means(found, lines, f"unimodal.{name}", name),
                        differences(found, lines, f"unimodal.{name}", f"{name}: difference"),
                    )
                ),
            ),
            block(
                "What the threshold keeps",
                "Of the correlations between different samples of a training batch, the share that tau keeps, and the "
                "weight that a row gives to other samples; with the kept weights, in the model's own order. Nothing "
                "kept: the sample level does nothing, and a flat line says nothing about it.",
                swept,
                means(found, swept, "kept", "kept", 4),
                *(means(found, swept, f"kept.{name}", f"kept, {name}", 4) for name in names if len(names) > 2),
                means(found, swept, "mixed", "weight on others", 4),
            ),
        ]

    @staticmethod
    def sentences(found: Found) -> list[str]:
        """Return for each value what it changes, and which values keep nothing."""
        said = []
        for term in found.levels("term"):
            rows = [
                line
                for line, arm in zip(lines_of_arms(found), found.arms, strict=True)
                if line.against and arm.factors["term"] == term
            ]
            said += [f"{row.name}: {told_scores(found, row.group, row.against)}." for row in rows]
            said.append(_inert(found, rows))
        return said


def _inert(found: Found, rows: Sequence[Line]) -> str:
    shares: list[tuple[str, Estimate]] = [(row.name, found.summary(row.group, "kept")) for row in rows]
    known = [(name, share.mean) for name, share in shares if share.mean is not None]
    idle = [name for name, mean in known if mean < INERT]
    if not known:
        return "What tau keeps is not known: no two modalities are ever there together."
    text = f"Kept: {', '.join(f'{name} {number(100 * mean, 2)}%' for name, mean in known)}."
    if idle:
        text += f" At {join_names(idle)} the threshold keeps next to nothing: it is inert, and nothing follows from it."
    return text


@torch.no_grad()
def kept(model: Classifier, fusion: MemoryFusion, train: Dataset, batch_size: int, seed: int) -> dict[str, Any]:
    """Return what the threshold of the mapping keeps of the correlations between samples of a training batch.

    Encoders are in evaluation mode; batches are drawn as an epoch's are.

    Args:
        model: the classifier.
        fusion: the model's.
        train: the training part, in the form that the encoders take.
        batch_size: as in training, for the correlations are those within a batch.
        seed: of the draw of batches.

    Returns:
        ``kept``, the share of pairs of different samples, both with this modality and one before it, whose correlation
        reaches tau; ``kept.<m>``, the same of one modality (None where it always comes first); ``mixed``, the mean
        weight that a row gives to other rows.
    """
    pairs, stay, rows, weight = (dict.fromkeys(model.modalities, 0.0) for _ in range(4))
    tau = fusion.mapping.tau
    for batch in train.batches(batch_size, permutation(len(train), seed, "order", "kept").numpy()):
        encodings = model.encode(batch)
        chain = fusion.start(len(batch))
        for name in fusion.order:
            present = batch.present[name]
            if chain.previous is not None and chain.seen is not None:
                valid = present & chain.seen
                weights = alignment_weights(chain.previous, fusion.mapping.map(name, encodings[name]), tau, valid)
                others = weights - torch.diag(weights.diagonal())
                count = int(valid.sum())
                pairs[name] += count * (count - 1)
                stay[name] += float((others > 0).sum())
                rows[name] += count
                weight[name] += float(others.sum())
            _, chain = fusion.step(name, encodings[name], present, chain)

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    each = {f"kept.{name}": share(stay[name], pairs[name]) for name in model.modalities}
    return {
        "kept": share(sum(stay.values()), sum(pairs.values())),
        **each,
        "mixed": share(sum(weight.values()), sum(rows.values())),
    }


def _config(recipe: MethodSpec) -> EquilibriumConfig:
    return EquilibriumConfig.model_validate(recipe.options)
