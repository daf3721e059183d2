"""Value functions: how good stored outputs are, under any weighting of the samples.

A value function maps outputs (K, N, C) of K coalitions and targets (N,) to values (K,). Weights (R, N) give R
weightings at once and values (R, K): a weight of 2 counts a sample twice, 0 leaves it out. This is how
bootstrap intervals are computed from one stored table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from equimodal.errors import ConfigError, DataError, did_you_mean


class ValueFunction(Protocol):
    """Maps outputs (K, N, C), targets (N,) and weights None, (N,) or (R, N) to values (K,) or (R, K)."""

    def __call__(self, outputs: Tensor, targets: Tensor, weights: Tensor | None, /) -> Tensor:
        """Return the value of each coalition, for each weighting."""
        ...


OF_LOGITS = ("log_likelihood_gain", "true_class_probability")
"""The value functions that probabilities in place of logits would silently spoil; to the others both are alike."""

VALUES: dict[str, ValueFunction] = {}
"""The value functions by name. A function can be passed instead of a name."""


def _value(name: str) -> Callable[[Callable[[Tensor, Tensor, Tensor], Tensor]], ValueFunction]:
    """Register a score that takes weights (R, N) as a value function, which takes None, (N,) and (R, N)."""

    def decorate(score: Callable[[Tensor, Tensor, Tensor], Tensor]) -> ValueFunction:
        @wraps(score)
        def value(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
            if outputs.ndim != 3 or len(targets) != outputs.shape[1]:
                raise DataError(
                    f"{name}: expected outputs (coalitions, samples, classes) and a target for each sample, "
                    f"got outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)}."
                )
            if weights is None:
                weights = torch.ones(outputs.shape[1], device=outputs.device)
            if weights.ndim > 2 or weights.shape[-1] != outputs.shape[1]:
                raise DataError(
                    f"{name}: expected weights ({outputs.shape[1]},) or (R, {outputs.shape[1]}), got "
                    f"{tuple(weights.shape)}."
                )
            values = score(outputs, targets, weights.double().reshape(-1, outputs.shape[1]))
            return values if weights.ndim == 2 else values[0]

        VALUES[name] = value
        return value

    return decorate


def value_function(value: str | ValueFunction) -> tuple[str, ValueFunction]:
    """Return the name and the function of `value`, which may be either.

    Raises:
        ConfigError: no value function has that name.

    Example:
        >>> value_function("accuracy")[1] is accuracy
        True
    """
    if not isinstance(value, str):
        return getattr(value, "__name__", type(value).__name__), value
    if value not in VALUES:
        raise ConfigError(f"Unknown value function '{value}'.{did_you_mean(value, VALUES)}")
    return value, VALUES[value]


def _mean(scores: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over samples: (K, N), (R, N) -> (R, K)."""
    return weights @ scores.double().T / weights.sum(-1, keepdim=True)


def _class_numbers(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    classes = outputs.shape[-1]
    if targets.ndim != 1 or targets.is_floating_point():
        raise DataError(
            f"{name}: expected class numbers (samples,) as integers, got {targets.dtype} {tuple(targets.shape)}."
        )
    if classes < 2:
        raise DataError(
            f"{name}: expected a logit for each of at least 2 classes, got {classes}. "
            "Give a single binary logit z as the two logits (0, z)."
        )
    wrong = ((targets < 0) | (targets >= classes)).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        unlabelled = " Data without labels have -1." if int(targets[row]) == -1 else ""
        raise DataError(
            f"{name}: target {int(targets[row])} of row {row} is not a class; the outputs have classes 0 to "
            f"{classes - 1}.{unlabelled}"
        )
    return targets.long()


@_value("accuracy")
def accuracy(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the share of samples whose largest logit is the true class; ties go to the lowest class.

    Args:
        outputs: logits (K, N, C).
        targets: class numbers (N,).
        weights: None, (N,) or (R, N).

    Returns:
        float64 (K,) or (R, K).

    Raises:
        DataError: shapes that do not fit, or a target that is not a class.

    Example:
        >>> accuracy(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.tensor([1, 1]), None).tolist()
        [0.5]
    """
    targets = _class_numbers("accuracy", outputs, targets)
    return _mean(outputs.argmax(-1) == targets, weights)


@_value("macro_f1")
def macro_f1(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean F1 over the classes that occur in the targets (with a weight above 0).

    A class that is only predicted is not in the mean; predicting it lowers the recall of the true classes.
    Ties go to the lowest class. Arguments, shapes and errors as for `accuracy`.

    Example:
        >>> macro_f1(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.tensor([1, 1]), None).round(decimals=3)
        tensor([0.6670], dtype=torch.float64)
    """
    targets = _class_numbers("macro_f1", outputs, targets)
    predicted = outputs.argmax(-1)
    total = weights.new_zeros(len(weights), len(outputs))
    occurring = weights.new_zeros(len(weights), 1)
    for number in targets.unique():
        true = targets == number
        said = (predicted == number).double()
        support = weights[:, true].sum(-1, keepdim=True)
        hits = weights[:, true] @ said[:, true].T
        claimed = weights @ said.T
        # Without support there are no hits either, so the fraction is 0 and the class is not counted.
        total += 2 * hits / (claimed + support).clamp_min(torch.finfo(torch.float64).tiny)
        occurring += support > 0
    return total / occurring


@_value("log_likelihood_gain")
def log_likelihood_gain(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return log C minus the mean cross entropy: the gain over uniform guessing, in nats.

    Arguments, shapes and errors as for `accuracy`.

    Example:
        >>> log_likelihood_gain(torch.zeros(1, 2, 4), torch.tensor([3, 0]), None).tolist()
        [0.0]
    """
    targets = _class_numbers("log_likelihood_gain", outputs, targets)
    return math.log(outputs.shape[-1]) + _mean(_true_class(outputs, targets), weights)


@_value("true_class_probability")
def true_class_probability(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean softmax probability of the true class.

    Arguments, shapes and errors as for `accuracy`.

    Example:
        >>> true_class_probability(torch.zeros(1, 2, 4), torch.tensor([3, 0]), None).tolist()
        [0.25]
    """
    targets = _class_numbers("true_class_probability", outputs, targets)
    return _mean(_true_class(outputs, targets).exp(), weights)


def _true_class(outputs: Tensor, targets: Tensor) -> Tensor:
    """Log probability of the true class: (K, N, C), (N,) -> (K, N)."""
    at = targets.expand(outputs.shape[:2]).unsqueeze(-1)
    return F.log_softmax(outputs.double(), -1).gather(-1, at).squeeze(-1)


def _like_outputs(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    targets = targets.unsqueeze(-1) if targets.ndim == 1 else targets
    if targets.shape != outputs.shape[1:]:
        raise DataError(
            f"{name}: expected targets of the shape of one coalition's outputs {tuple(outputs.shape[1:])}, "
            f"got {tuple(targets.shape)}."
        )
    return targets.double()


@_value("negative_mae")
def negative_mae(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return minus the mean absolute error, over samples and output columns.

    Args:
        outputs: predictions (K, N, D).
        targets: (N, D), or (N,) where D is 1.
        weights: None, (N,) or (R, N).

    Returns:
        float64 (K,) or (R, K).

    Raises:
        DataError: shapes that do not fit.

    Example:
        >>> negative_mae(torch.tensor([[[1.0], [3.0]]]), torch.tensor([1.0, 2.0]), None).tolist()
        [-0.5]
    """
    targets = _like_outputs("negative_mae", outputs, targets)
    return -_mean((outputs.double() - targets).abs().mean(-1), weights)


@_value("r2")
def r2(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the coefficient of determination, averaged over output columns.

    A column whose targets are constant scores 1 if predicted exactly, else 0, as in scikit-learn. Arguments,
    shapes and errors as for `negative_mae`.

    Example:
        >>> r2(torch.tensor([[[1.0], [2.0], [2.0]]]), torch.tensor([1.0, 2.0, 3.0]), None).tolist()
        [0.5]
    """
    targets = _like_outputs("r2", outputs, targets)
    residual = torch.einsum("rn,knd->rkd", weights, (outputs.double() - targets) ** 2)
    mean = weights @ targets / weights.sum(-1, keepdim=True)
    spread = torch.einsum("rn,rnd->rd", weights, (targets - mean.unsqueeze(1)) ** 2)
    scale = weights @ targets**2
    constant = (spread <= 1e-24 * scale).unsqueeze(1)
    score = 1 - residual / torch.where(constant, 1.0, spread.unsqueeze(1))
    return torch.where(constant, (residual == 0).double(), score).mean(-1)


@_value("mean_average_precision")
def mean_average_precision(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the average precision, averaged over the labels that have a positive (with a weight above 0).

    Samples of equal score share one threshold, as in scikit-learn.

    Args:
        outputs: scores (K, N, C), one column per label.
        targets: 0 or 1 (N, C).
        weights: None, (N,) or (R, N).

    Returns:
        float64 (K,) or (R, K).

    Raises:
        DataError: shapes that do not fit, targets other than 0 and 1, or no positive at all.

    Example:
        >>> scores = torch.tensor([[[0.9], [0.8], [0.1]]])
        >>> mean_average_precision(scores, torch.tensor([[1], [0], [1]]), None).round(decimals=3)
        tensor([0.8330], dtype=torch.float64)
    """
    truth = _like_outputs("mean_average_precision", outputs, targets)
    if not ((truth == 0) | (truth == 1)).all() or not truth.any():
        raise DataError("mean_average_precision: expected targets of 0 and 1 with at least one 1.")
    positives = weights @ truth
    occurring = positives > 0
    total = weights.new_zeros(len(weights), len(outputs))
    # One label and one coalition at a time: all at once would hold R x K x N x C numbers.
    for label in range(truth.shape[-1]):
        for k, scores in enumerate(outputs[..., label]):
            order = scores.argsort(descending=True)
            _, tied = scores[order].unique_consecutive(return_counts=True)
            last = (tied.cumsum(0) - 1).repeat_interleave(tied)
            weight = weights[:, order]
            hits = weight * truth[order, label]
            seen = weight.cumsum(-1).clamp_min(torch.finfo(torch.float64).tiny)
            precision = (hits.cumsum(-1) / seen)[:, last]
            recalled = (hits * precision).sum(-1) / torch.where(occurring, positives, 1.0)[:, label]
            total[:, k] += recalled
    return total / occurring.sum(-1, keepdim=True).clamp_min(1)
