"""Games: what a model outputs when only the modalities of a coalition are present."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.contribution.answers import are_probabilities, read_answer
from equimodal.contribution.hiding import hide
from equimodal.contribution.prior import prior_logits
from equimodal.contribution.shapley import Plan
from equimodal.errors import ConfigError, DataError
from equimodal.modes import evaluating

Game = Callable[[Tensor], Tensor]
"""Maps coalitions, bool (K, n), to outputs (K, N, C), or to values (K,), which then have no interval."""

Predict = Callable[..., Any]
"""Maps inputs by name and presence by name, bool (B,), to logits (B, C); see `play`."""

Prior = Tensor | Sequence[float]
"""Class probabilities (C,), or a constant output (C,) where labels are not class numbers."""


@dataclass(frozen=True, eq=False)
class Played:
    """What `play` returns.

    Args:
        outputs: logits (K, N, C).
        targets: the data's labels (N,) or (N, C).
        never_present: modalities that no sample has.
        reacts: whether any output changed with what was present; None where no sample met two coalitions.
        probabilities: whether the model returned probabilities, whose logarithms the outputs are.
    """

    outputs: Tensor
    targets: Tensor
    never_present: tuple[str, ...]
    reacts: bool | None
    probabilities: bool


def play(
    predict: Predict,
    batches: Iterable[Batch],
    coalitions: Tensor,
    modalities: Sequence[str],
    prior: Prior | None = None,
) -> Played:
    """Run any model on every coalition, in one pass through the data.

    For each coalition, each sample keeps what it has of it; everything else is hidden from the model before the call
    (see `equimodal.contribution.hiding.hide`: numbers are 0, strings empty, lengths 1). Where a sample has nothing of
    a coalition, the output is the prior, whatever `predict` returns; a batch that has nothing of it is not predicted.

    Args:
        predict: called without gradient as `predict(inputs, present)`, and with `lengths=` too if it names such a
            parameter; a function or module whose only parameter is named `batch` gets the whole `Batch`. It returns
            logits or probabilities (B, C) as a tensor, an array or a list. A module, or a method of one, is in
            evaluation mode meanwhile, and gets its inputs on the device of its parameters.
        batches: the data; all with the same modalities.
        coalitions: bool (K, n).
        modalities: names of the n columns; modalities of the data that are left out are hidden throughout.
        prior: class probabilities (C,), or a constant output (C,) where labels are not class numbers. By
            default the frequencies of the data's own classes, or the mean of its labels.

    Raises:
        ConfigError: `predict` cannot be called like this.
        DataError: no batch, unknown modalities, a prior or predictions of the wrong shape.

    Example:
        >>> batch = Batch({"a": torch.eye(2)}, {"a": torch.tensor([True, False])}, torch.tensor([0, 1]),
        ...               torch.arange(2))
        >>> played = play(lambda inputs, present: 5 * inputs["a"], [batch], torch.tensor([[True]]), ["a"])
        >>> played.outputs.softmax(-1)[0, 1].tolist()  # sample 1 lacks "a": the prior
        [0.5, 0.5]
    """
    tables: list[Tensor] = []
    labels: list[Tensor] = []
    met: list[Tensor] = []
    held: list[Tensor] = []
    classes: int | None = None
    comparable = reacts = False
    with _ready(predict) as call:
        for number, batch in enumerate(batches):
            has = _presence(batch, modalities, number)
            kept = has.unsqueeze(0) & coalitions.unsqueeze(1)  # (K, B, n)
            meets = kept.any(-1)
            categorical = _categorical(batch.labels)
            outputs: list[Tensor | None] = []
            for row, anyone in zip(coalitions.tolist(), meets.any(-1).tolist(), strict=True):
                if not anyone:
                    outputs.append(None)
                    continue
                inside = [name for name, chosen in zip(modalities, row, strict=True) if chosen]
                where = f"batch {number}, {'+'.join(sorted(inside))}"
                answer = call(hide(batch, inside))
                output = read_answer(answer, len(batch), classes, where, categorical=categorical)
                outputs.append(output)
                classes = output.shape[1]
            tables.append(_filled(outputs, len(batch), classes))
            labels.append(batch.labels.cpu())
            met.append(meets)
            held.append(has.any(0))
            differs, changes = _changes(tables[-1], kept)
            comparable, reacts = comparable or differs, reacts or changes
    if classes is None and prior is not None:
        classes = _numbers(prior).numel()
    if not labels or classes is None:
        raise DataError("Expected at least one batch in which some sample has some modality, got none.")
    targets, predicted = torch.cat(labels), torch.cat(met, dim=1)
    table = torch.cat([part.expand(-1, -1, classes) for part in tables], dim=1)
    probabilities = _categorical(targets) and are_probabilities(table[predicted])
    if probabilities:  # in float64: numbers that differ keep logarithms that differ
        table = table.double().clamp_min(1e-8).log()
    constant = _prior_output(prior, targets, classes)
    table = torch.where(predicted.unsqueeze(-1), table, constant.to(table.dtype))
    ever = torch.stack(held).any(0).tolist()
    never = tuple(name for name, seen in zip(modalities, ever, strict=True) if not seen)
    return Played(table, targets, never, reacts if comparable else None, probabilities)


def coalition_outputs(
    predict: Predict,
    batch: Batch,
    modalities: Sequence[str],
    coalitions: Plan | Tensor,
    *,
    prior: Prior,
) -> Tensor:
    """Return a model's outputs (K, B, C) of one batch for every coalition, as the torchmetrics classes take them.

    Args:
        predict: see `play`.
        batch: some samples.
        modalities: n names, as the metric has them.
        coalitions: the metric's plan, or bool (K, n).
        prior: class probabilities (C,) of the training labels, which predict where a sample has nothing of a
            coalition. A batch's own labels would make v(none) depend on how the data are cut into batches.

    Raises:
        ConfigError: `predict` cannot be called like this.
        DataError: unknown modalities, a prior or predictions of the wrong shape.

    Example:
        >>> from equimodal.contribution import EquilibriumDeviation
        >>> here = torch.ones(4, dtype=torch.bool)
        >>> batch = Batch({"a": 4 * torch.eye(2).repeat(2, 1), "b": torch.zeros(4, 2)}, {"a": here, "b": here},
        ...               torch.tensor([0, 1, 0, 1]), torch.arange(4))
        >>> metric = EquilibriumDeviation(["a", "b"])
        >>> outputs = coalition_outputs(lambda inputs, present: inputs["a"] + inputs["b"], batch, ["a", "b"],
        ...                             metric.coalitions, prior=[0.5, 0.5])
        >>> metric.update(outputs, batch.labels)
        >>> metric.compute().item()
        1.0
    """
    table = coalitions.coalitions if isinstance(coalitions, Plan) else coalitions.bool().cpu()
    return play(predict, [batch], table, modalities, prior).outputs


@contextmanager
def _ready(predict: Predict) -> Iterator[Callable[[Batch], Any]]:
    """Yield a function that calls `predict` on a batch; a module is in evaluation mode meanwhile."""
    owner = predict if isinstance(predict, nn.Module) else getattr(predict, "__self__", None)
    module = owner if isinstance(owner, nn.Module) else None
    parameters = _parameters(predict)
    device = None if module is None else next((each.device for each in module.parameters()), None)

    def call(batch: Batch) -> Any:
        batch = batch if device is None else batch.to(device)
        with torch.no_grad():
            if parameters == ["batch"]:
                return predict(batch)
            extra = {"lengths": batch.lengths} if "lengths" in parameters else {}
            return predict(batch.inputs, batch.present, **extra)

    with evaluating(*([] if module is None else [module])):
        yield call


def _parameters(predict: Predict) -> list[str]:
    """Return the names of what `predict` takes: of a module's `forward`, since every module's `__call__` is the same.

    Raises:
        ConfigError: it takes something else than inputs and presence, or a batch.
    """
    try:
        signature = inspect.signature(predict.forward if isinstance(predict, nn.Module) else predict)
    except (TypeError, ValueError):  # compiled code has none
        return []
    names = list(signature.parameters)
    if names == ["batch"]:
        return names
    try:
        signature.bind(None, None, **({"lengths": None} if "lengths" in names else {}))
    except TypeError as error:
        raise ConfigError(
            f"predict: expected a function (inputs, present), or (inputs, present, lengths), or (batch), got one that "
            f"takes {signature}. Wrap yours: lambda inputs, present: ..."
        ) from error
    return names


def _presence(batch: Batch, modalities: Sequence[str], number: int) -> Tensor:
    """Return which modalities each row has: bool (B, n)."""
    unknown = [name for name in modalities if name not in batch.present]
    if unknown:
        raise DataError(f"Batch {number} has no modality {', '.join(unknown)}; it has {', '.join(batch.modalities)}.")
    return torch.stack([batch.present[name].cpu() for name in modalities], dim=-1)


def _categorical(labels: Tensor) -> bool:
    return labels.ndim == 1 and not labels.is_floating_point()


def _filled(outputs: list[Tensor | None], size: int, classes: int | None) -> Tensor:
    """Stack a batch's outputs; those not predicted are zeros, which the prior replaces later."""
    blank = torch.zeros(size, classes or 1)
    return torch.stack([blank if output is None else output for output in outputs])


def _changes(table: Tensor, kept: Tensor) -> tuple[bool, bool]:
    """Return whether a row met two different coalitions, and whether its output then differed.

    Args:
        table: (K, B, C).
        kept: what each row keeps of each coalition: bool (K, B, n).
    """
    first = kept.any(-1).int().argmax(0)  # the first coalition of which the row has something
    rows = torch.arange(kept.shape[1])
    other = (kept != kept[first, rows]).any(-1) & kept.any(-1)
    return bool(other.any()), bool((other & (table != table[first, rows]).any(-1)).any())


def _prior_output(prior: Prior | None, targets: Tensor, classes: int) -> Tensor:
    """Return what the prior alone outputs (C,): log probabilities of classes, or a constant."""
    categorical = _categorical(targets)
    if prior is not None:
        constant = _numbers(prior)
        if constant.shape != (classes,):
            raise DataError(f"prior: expected {classes} numbers, one per class, got {tuple(constant.shape)}.")
        if categorical and not (bool((constant >= 0).all()) and abs(float(constant.sum()) - 1) <= 1e-4):
            raise DataError(f"prior: expected probabilities of sum 1, got a sum of {float(constant.sum()):g}.")
    elif categorical:
        if int(targets.min()) < 0 or int(targets.max()) >= classes:
            wrong = int(((targets < 0) | (targets >= classes)).nonzero()[0])
            if int(targets[wrong]) == -1:
                raise DataError(f"Sample {wrong} has no label (-1). Give data whose rows are all labelled.")
            raise DataError(
                f"Label {int(targets[wrong])} of sample {wrong} is not a class: predict gives classes 0 to "
                f"{classes - 1}."
            )
        constant = targets.long().bincount(minlength=classes).double() / len(targets)
    else:
        constant = targets.double().mean(0).expand(classes)
    return prior_logits(constant) if categorical else constant


def _numbers(prior: Prior) -> Tensor:
    try:
        return torch.as_tensor(prior, dtype=torch.float64).cpu()
    except (TypeError, ValueError) as error:
        raise DataError(f"prior: expected one number per class, got {prior!r}.") from error
