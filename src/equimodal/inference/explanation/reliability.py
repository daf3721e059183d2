"""How far a model's probabilities can be trusted, before and after one temperature that is fitted on validation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from equimodal.training.measure import expected_calibration_error

BINS = 15
HOTTEST = 20.0
"""Temperatures are sought between 1 / HOTTEST and HOTTEST (ours)."""


@dataclass(frozen=True)
class Bin:
    """Rows whose confidence lies from `low` to below `high` (the last bin has 1 too).

    Args:
        low: of the confidence, the probability of the predicted class.
        high: of the confidence.
        rows: how many there are.
        confidence: their mean; None where there are none.
        accuracy: the share of them that is right; None where there are none.
    """

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How confidence and accuracy agree.

    Args:
        ece: the expected calibration error.
        loss: the mean negative log-likelihood, in nats.
        bins: of equal width, from 0 to 1.
    """

    ece: float
    loss: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Reliability:
    """A model's probabilities, as they are and with the best single temperature.

    Args:
        before: as they are.
        temperature: what the logits are divided by; None where there are no validation rows to fit it on.
        after: with it.
        note: what a reader must know of the temperature; may be empty.
    """

    before: Calibration
    temperature: float | None = None
    after: Calibration | None = None
    note: str = ""


def reliability(
    logits: Tensor, labels: Tensor, validation: tuple[Tensor, Tensor] | None, note: str = ""
) -> Reliability:
    """Return how far probabilities can be trusted before and after one temperature.

    The temperature is fitted on validation, never on the rows that are judged.

    Args:
        logits: of the rows judged (N, C).
        labels: class numbers (N,).
        validation: logits and labels of the validation part; None where it is not there.
        note: what a reader must know; what is said of the temperature is added.
    """
    before = calibration(logits, labels)
    if validation is None:
        return Reliability(before, note=note)
    temperature = fit_temperature(*validation)
    notes = [note] if note else []
    if not 1.01 / HOTTEST < temperature < HOTTEST / 1.01:
        notes.append(
            f"The best temperature lies beyond the bounds, {1 / HOTTEST:g} and {HOTTEST:g}. That is so where a model "
            "is right on all validation rows, or no better than chance there."
        )
    return Reliability(before, temperature, calibration(logits / temperature, labels), " ".join(notes))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    r"""Return the temperature T that minimises the mean cross entropy of logits / T, from 1/20 to 20.

    It changes no decision, only how sure the model is. The cross entropy is convex in 1 / T, so that there is one
    minimum.

    Args:
        logits: (N, C).
        labels: class numbers (N,).

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.0, 3.0]] * 4)  # p = 0.95, and 3 of 4 are right: log 3 would be right
        >>> round(fit_temperature(logits, torch.tensor([1, 1, 1, 0])), 3), round(3 / math.log(3), 3)
        (2.731, 2.731)

    Source: Guo et al., 2017, "On calibration of modern neural networks", arXiv 1706.04599.
    """
    logits, bound = logits.double(), math.log(HOTTEST)

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits / math.exp(log_temperature), labels))

    best = minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-7})
    return math.exp(float(best.x))


def calibration(logits: Tensor, labels: Tensor, bins: int = BINS) -> Calibration:
    """Return how confidence and accuracy agree, in bins of equal width of the confidence.

    Args:
        logits: (N, C).
        labels: class numbers (N,).
        bins: how many.

    Example:
        >>> import torch
        >>> found = calibration(torch.tensor([[9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1]), bins=2)
        >>> round(found.ece, 3), found.bins[1].rows, found.bins[1].accuracy
        (0.5, 2, 0.5)
    """
    confidence = logits.double().softmax(-1).amax(-1).numpy()
    right = (logits.argmax(-1) == labels).double().numpy()
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, bins - 1)
    found = []
    for number, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        inside = place == number
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if inside.any() else (None, None)
        found.append(Bin(low, high, int(inside.sum()), *means))
    return Calibration(
        expected_calibration_error(logits, labels, bins), float(cross_entropy(logits.double(), labels)), tuple(found)
    )
