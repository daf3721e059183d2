"""What a model does where modalities are missing: over rates of missing entries, and for subsets of the modalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from equimodal.contribution.coalitions import all_coalitions, coalition_name
from equimodal.contribution.equilibrium import equilibrium_deviation, shares, target_vector
from equimodal.contribution.missing import RATES
from equimodal.contribution.shapley import shapley
from equimodal.data.missing import keep_some
from equimodal.inference.evaluation import Chosen
from equimodal.inference.missing_report import AtRate, MissingReport, OfSubset, Spread
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, coalition_outputs, encode_all
from equimodal.modes import evaluating
from equimodal.seeds import derive_seed
from equimodal.training.run import Run

MASKS = 50
"""Draws of missing entries at each rate (ours)."""
MOST_FOR_ALL = 6
"""Modalities up to which every subset is measured; with more: one alone, all but one, and all."""


def measure_missing(
    run: Run, chosen: Chosen, *, rates: Sequence[float] = RATES, masks: int = MASKS, seed: int = 0
) -> MissingReport:
    """Measure a run's model where entries are missing; each encoder runs once, and all masks read its encodings.

    An entry (row, modality) is missing with the probability of the rate, independently, and every row keeps one entry
    at least, as in `data.missing` and in a comparison's columns. Each of the masks has the same random numbers at every
    rate, so that a curve is not made of chance. EDM is measured with the run's value function, or with accuracy where
    that is macro F1, which is no mean over rows.

    Args:
        run: a finished run.
        chosen: labelled rows, see `equimodal.inference.evaluation.rows_to_measure`.
        rates: ascending, from 0 to below 1; at least two.
        masks: draws at each rate.
        seed: of the draws.
    """
    model = run.model
    encoded = list(encode_all(model, model.prepare(chosen.rows, run.cache())))
    n = len(model.modalities)
    coalitions = all_coalitions(n) if n <= MOST_FOR_ALL else _some_coalitions(n)
    logits, labels = coalition_outputs(model, encoded, coalitions)
    right, loss = _judged(logits, labels.expand(len(coalitions), -1))
    has = torch.cat([model.fusion.stacked(part.present).T for part in encoded]).cpu().numpy()
    kept = {
        rate: [
            keep_some(np.full(n, rate), has, np.random.default_rng(derive_seed(seed, "mask", number)))
            for number in range(masks)
        ]
        for rate in rates
    }
    if n <= MOST_FOR_ALL:
        scores = _scores_of(run.config.measure.value, right, loss)
        target = target_vector(run.config.measure.target, model.modalities)
        found = [_looked_up(rate, drawn, right, loss, scores, target) for rate, drawn in kept.items()]
    else:
        found = [_fused(rate, drawn, model, encoded) for rate, drawn in kept.items()]
    subsets = [
        OfSubset(coalition_name(members, model.modalities), float(right[k].mean()), float(loss[k].mean()))
        for k, members in enumerate(coalitions)
        if members.any()
    ]
    return MissingReport(chosen.split, len(has), masks, tuple(found), tuple(subsets))


def _some_coalitions(n: int) -> Tensor:
    """Return each modality alone, all but one, and all: bool (2 n + 1, n)."""
    alone = torch.eye(n, dtype=torch.bool)
    return torch.cat([alone, ~alone, torch.ones(1, n, dtype=torch.bool)])


def _judged(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the label is the largest logit, and its negative log-likelihood: (..., C), (...) -> (...)."""
    logits, labels = logits.float().cpu(), labels.cpu()
    chosen = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return (logits.argmax(-1) == labels).double().numpy(), -chosen.double().numpy()


def _scores_of(value: str, right: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Return the score of each row whose mean is the value function."""
    return {"log_likelihood_gain": -loss, "true_class_probability": np.exp(-loss)}.get(value, right)


def _looked_up(
    rate: float, kept: Sequence[np.ndarray], right: np.ndarray, loss: np.ndarray, scores: np.ndarray, target: Tensor
) -> AtRate:
    """Return what the tables of all 2**n coalitions say where the masks `kept`, bool (N, n) each, are present."""
    n, rows = kept[0].shape[1], np.arange(right.shape[1])
    numbers = [mask @ (1 << np.arange(n)) for mask in kept]  # of the coalition that a row keeps, as they are numbered
    # Where a coalition is asked for, a row has what it keeps of it.
    values = [scores[np.arange(2**n)[:, None] & number, rows].mean(1) for number in numbers]
    edm = float(equilibrium_deviation(shares(shapley(torch.from_numpy(np.mean(values, axis=0)))), target))
    return AtRate(
        rate,
        _spread([right[number, rows].mean() for number in numbers]),
        _spread([loss[number, rows].mean() for number in numbers]),
        None if edm != edm else edm,
    )


@torch.no_grad()
def _fused(rate: float, kept: Sequence[np.ndarray], model: Classifier, encoded: Sequence[Encoded]) -> AtRate:
    """Return what the fusion says where the masks `kept`, bool (N, n) each, are present."""
    right, loss = [], []
    for mask in kept:
        start, judged = 0, []
        for part in encoded:
            here = torch.from_numpy(mask[start : start + len(part.labels)]).to(part.labels.device)
            start += len(part.labels)
            with evaluating(model):
                logits = model.fuse(part.encodings, {name: here[:, i] for i, name in enumerate(model.modalities)})
            judged.append(_judged(logits, part.labels))
        right.append(np.concatenate([one for one, _ in judged]).mean())
        loss.append(np.concatenate([other for _, other in judged]).mean())
    return AtRate(rate, _spread(right), _spread(loss))


def _spread(values: Sequence[float]) -> Spread:
    low, high = np.quantile(values, [0.025, 0.975])
    return Spread(float(np.mean(values)), float(low), float(high))
