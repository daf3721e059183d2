"""Contributions of the modalities to the predictions of any model, through one callback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Protocol, runtime_checkable

from torch import Tensor

from equimodal.batch import Batch
from equimodal.contribution.bootstrap import Groups
from equimodal.contribution.equilibrium import Target, target_vector
from equimodal.contribution.games import Predict, Prior, play
from equimodal.contribution.knowledge import hints
from equimodal.contribution.measure import contribution
from equimodal.contribution.result import Contribution
from equimodal.contribution.shapley import plan
from equimodal.contribution.values import ValueFunction, value_function
from equimodal.errors import ConfigError, DataError


@runtime_checkable
class Batched(Protocol):
    """Data that come in batches, in a fixed order.

    An attribute `name`, if any, names the split; an attribute `groups` (N,), if any, has the group of each row.
    """

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
    prior: Prior | None = None,
    groups: Groups | None = None,
) -> Contribution:
    """Measure how much each modality contributes to the predictions of any model.

    v(S) is the value of the predictions when each sample keeps what it has of S. What is absent is hidden from the
    model before the call: numbers are 0, strings are empty, lengths are 1, and `present` is False. Where a sample has
    nothing of S, the label prior predicts. Gradients are switched off. A torch module is in evaluation mode
    meanwhile; if `predict` is a function, put its model in evaluation mode first.

    Args:
        predict: `predict(inputs, present) -> logits (B, C)`, where `inputs` holds a batch's inputs by modality and
            `present` a bool tensor (B,) by modality. If it names a third parameter `lengths`, the lengths of the
            sequences are passed too. If its only parameter is named `batch`, it gets a `Batch`. A function, or a
            module, of which `forward` is read. Logits or probabilities, as a tensor, a NumPy array or a list; row i is
            the prediction for row i of the inputs.
        data: anything with `batches(batch_size)`, such as a `Dataset`; one batch; or batches.
        value: a name in `equimodal.contribution.VALUES`, or a value function.
        target: the shares that count as equilibrium; see `equimodal.contribution.contribution`.
        budget: the greatest number of coalitions to evaluate; by default all up to 10 modalities, 1024 above.
        batch_size: passed to `data.batches`.
        bootstrap: replicates; 0 for no intervals.
        seed: of sampled coalitions and bootstrap.
        modalities: the players, in order; by default those of the data. Others are hidden throughout.
        prior: class probabilities (C,) of the training labels (a constant output (C,) for regression), as a run has
            them. By default those of a trained `Classifier`; else those of the labels of `data`, and a note says so.
        groups: one label per row, in the data's order; by default those of the data, if they have any. The bootstrap
            draws whole groups. `range(len(data))` resamples rows although the data have groups.

    Raises:
        ConfigError: unknown value function, impossible target, too small a budget, a function that cannot be called.
        DataError: no data, all parts of a split instead of one, something that holds no batches, unknown
            modalities, predictions or a prior of the wrong shape, or predictions that never change although
            modalities are hidden.

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

    Source: shares and EDM from the paper; the callback, hidden inputs and the prior at absent samples are ours.
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
    if isinstance(modalities, str):
        raise ConfigError(f"modalities: expected a list of names, got '{modalities}'. Write ['{modalities}', ...].")
    names = tuple(first.modalities if modalities is None else modalities)
    scheme = plan(len(names), budget=budget, seed=seed)
    value_function(value)  # mistakes here are reported before the model runs
    target_vector(target, names)
    prior = _own_prior(predict) if prior is None else prior
    played = play(predict, chain([first], stream), scheme.coalitions, names, prior)
    if played.reacts is False:
        raise DataError(
            "predict: its predictions are the same whichever modalities are present, so that nothing can be "
            "measured. Absent inputs are hidden before the call (0 or empty, present False): predict from the inputs "
            "that it is called with, not from stored data or outputs. A model that always predicts the same has no "
            "contributions either."
        )
    if groups is None and isinstance(data, Batched):
        groups = getattr(data, "groups", None)
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
    notes = [*result.notes, *(hint for name, hint in hints(result).items() if name not in played.never_present)]
    if played.never_present:
        notes.append(f"no sample has {', '.join(played.never_present)}: no contribution")
    if played.probabilities:
        notes.append("predict returns probabilities: their logarithms are the logits")
    if prior is None:
        notes.append("v(none) is the prior of these labels; pass the training labels' as prior=")
    return replace(result, notes=tuple(notes))


def _own_prior(predict: Predict) -> Tensor | None:
    """Return the training prior that a classifier of this library holds, else None."""
    log_prior = getattr(predict, "log_prior", None)
    return log_prior.detach().double().softmax(-1) if isinstance(log_prior, Tensor) else None


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
