"""Contributions of the modalities of any model, through one callback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from equimodal.batch import Batch
from equimodal.contribution.equilibrium import Target, target_vector
from equimodal.contribution.games import Predict, play
from equimodal.contribution.measure import contribution
from equimodal.contribution.result import Contribution
from equimodal.contribution.shapley import plan
from equimodal.contribution.values import ValueFunction, value_function
from equimodal.errors import ConfigError, DataError


@runtime_checkable
class Batched(Protocol):
    """Data that come in batches, in a fixed order; a ``name`` attribute, if any, names the split."""

    def batches(self, batch_size: int) -> Iterable[Batch]:
        """Yield every sample once, in order."""
        ...


def diagnose(
    predict: Predict,
    data: Batched | Batch | Iterable[Batch],
    *,
    value: str | ValueFunction = "accuracy",
    target: Target = None,
    budget: int | None = None,
    batch_size: int = 256,
    bootstrap: int = 200,
    seed: int = 0,
    modalities: Sequence[str] | None = None,
    prior: Tensor | Sequence[float] | None = None,
    groups: Sequence[Any] | np.ndarray | Tensor | None = None,
) -> Contribution:
    """Measure how much each modality contributes to any model's predictions.

    v(S) is the value of the predictions when each sample keeps what it has of S. Where it has nothing of S,
    the label prior predicts. Put the model in evaluation mode first; gradients are switched off here.

    Args:
        predict: ``predict(inputs, present) -> logits (B, C)``, where ``inputs`` holds a batch's inputs by
            modality and ``present`` a bool tensor (B,) by modality. What is not present must not influence
            the result: how the model does without is its own matter (zeros, a mean, a mask). Sequence lengths
            come as ``lengths=`` if the function names such a parameter.
        data: anything with ``batches(batch_size)``, one batch, or batches.
        value: a name in :data:`~equimodal.contribution.VALUES`, or a value function.
        target: the shares that count as equilibrium; see :func:`~equimodal.contribution.contribution`.
        budget: the greatest number of coalitions to evaluate; by default all up to 10 modalities, 1024 above.
        batch_size: given to ``data.batches``.
        bootstrap: replicates; 0 for no intervals.
        seed: of sampled coalitions and bootstrap.
        modalities: the players, in order; by default those of the data. Others are absent throughout.
        prior: class probabilities (C,) of the training labels (a constant output (C,) for regression). By
            default those of the labels of ``data``, and a note says so.
        groups: one label a sample, in the data's order; see :func:`~equimodal.contribution.contribution`.

    Raises:
        ConfigError: unknown value function, impossible target, too small a budget.
        DataError: no data, all parts of a split instead of one, something that holds no batches, unknown
            modalities, predictions or a prior of the wrong shape.

    Example:
        >>> import torch
        >>> x, y = torch.randn(100, 2), torch.arange(100) % 2
        >>> x[:, 0] += 4.0 * y  # "a" tells the class, "b" is noise
        >>> here = torch.ones(100, dtype=torch.bool)
        >>> batch = Batch({"a": x[:, 0], "b": x[:, 1]}, {"a": here, "b": here}, y, torch.arange(100))
        >>> def predict(inputs, present):
        ...     score = torch.where(present["a"], inputs["a"] - 2, 0.0)
        ...     return torch.stack([-score, score], dim=-1)
        >>> c = diagnose(predict, batch)
        >>> c.shares["a"], c.shares["b"], c.minor
        (1.0, 0.0, ('b',))

    Source: shares and EDM from the paper; the callback and the prior at absent samples are ours.
    """
    if not callable(predict):
        raise ConfigError(
            f"predict: expected a function (inputs, present) -> logits, got {type(predict).__name__}. "
            "The data come second."
        )
    stream = _stream(data, batch_size)
    first = next(stream, None)
    if first is None:
        raise DataError("Expected at least one batch to diagnose, got none.")
    names = tuple(first.modalities if modalities is None else modalities)
    scheme = plan(len(names), budget=budget, seed=seed)
    value_function(value)  # mistakes here are reported before the model runs
    target_vector(target, names)
    played = play(predict, chain([first], stream), scheme.coalitions, names, prior)
    result = contribution(
        played.outputs,
        scheme,
        played.targets,
        names,
        value=value,
        target=target,
        bootstrap=bootstrap,
        seed=seed,
        split=getattr(data, "name", None),
        groups=groups,
    )
    notes = list(result.notes)
    if played.never_present:
        notes.append(f"no sample has {', '.join(played.never_present)}: no contribution")
    if prior is None:
        notes.append("v(none) is the prior of these labels; give prior= those of the training labels")
    return replace(result, notes=tuple(notes))


def _stream(data: Batched | Batch | Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    if isinstance(data, Batch):
        return iter((data,))
    if isinstance(data, Batched):
        return _checked(data.batches(batch_size))
    if all(isinstance(getattr(data, part, None), Batched) for part in ("train", "test")):
        raise DataError(
            f"data: expected one part, got all of them ({type(data).__name__}). Give one, for instance splits.test."
        )
    if not isinstance(data, Iterable):
        raise DataError(f"data: expected a Dataset, a Batch or batches, got {type(data).__name__}. Give one of these.")
    return _checked(data)


def _checked(batches: Iterable[Batch]) -> Iterator[Batch]:
    for number, batch in enumerate(batches):
        if not isinstance(batch, Batch):
            raise DataError(
                f"data: expected batches, got {type(batch).__name__} as number {number}. "
                "Give a Dataset, or make each an equimodal.Batch."
            )
        yield batch
