"""Games: what a model outputs when only the modalities of a coalition are present."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equimodal.batch import Batch
from equimodal.errors import DataError

Game = Callable[[Tensor], Tensor]
"""Maps coalitions, bool (K, n), to outputs (K, N, C), or to values (K,), which then have no interval."""

Predict = Callable[..., Tensor]
"""Maps inputs by name and presence by name, bool (B,), to logits (B, C); see :func:`play`."""


@dataclass(frozen=True, eq=False)
class Played:
    """What :func:`play` returns.

    Args:
        outputs: (K, N, C).
        targets: the data's labels (N,) or (N, C).
        never_present: modalities that no sample has.
    """

    outputs: Tensor
    targets: Tensor
    never_present: tuple[str, ...]


def play(
    predict: Predict,
    batches: Iterable[Batch],
    coalitions: Tensor,
    modalities: Sequence[str],
    prior: Tensor | Sequence[float] | None = None,
) -> Played:
    """Run any model on every coalition, passing once through the data.

    A coalition is met with what each sample has of it. Where a sample has nothing of it, the output is the
    prior, whatever ``predict`` says; a batch that has nothing of it is not predicted at all.

    Args:
        predict: called without gradient as ``predict(inputs, present)`` and, if it names a third parameter
            ``lengths``, with ``lengths=`` the sequences' valid steps; returns logits (B, C).
        batches: the data; all with the same modalities.
        coalitions: bool (K, n).
        modalities: names of the n columns; modalities of the data that are left out are absent throughout.
        prior: class probabilities (C,), or a constant output (C,) where labels are not class numbers. By
            default the frequencies of the data's own classes, or the mean of its labels.

    Raises:
        DataError: no batch, unknown modalities, a prior or predictions of the wrong shape.

    Example:
        >>> batch = Batch({"a": torch.eye(2)}, {"a": torch.tensor([True, False])}, torch.tensor([0, 1]),
        ...               torch.arange(2))
        >>> played = play(lambda inputs, present: inputs["a"], [batch], torch.tensor([[True]]), ["a"])
        >>> played.outputs.softmax(-1)[0, 1].tolist()  # sample 1 lacks "a": the prior
        [0.5, 0.5]
    """
    takes_lengths = "lengths" in inspect.signature(predict).parameters
    tables: list[Tensor] = []
    labels: list[Tensor] = []
    met: list[Tensor] = []
    held: list[Tensor] = []
    classes: int | None = None
    for number, batch in enumerate(batches):
        unknown = [name for name in modalities if name not in batch.present]
        if unknown:
            raise DataError(
                f"Batch {number} has no modality {', '.join(unknown)}; it has {', '.join(batch.modalities)}."
            )
        has = torch.stack([batch.present[name].cpu() for name in modalities], dim=-1)
        meets = (has.unsqueeze(0) & coalitions.unsqueeze(1)).any(-1)
        outputs: list[Tensor | None] = []
        for row, anyone in zip(coalitions, meets.any(-1).tolist(), strict=True):
            if not anyone:
                outputs.append(None)
                continue
            inside = {name for name, chosen in zip(modalities, row.tolist(), strict=True) if chosen}
            extra = {"lengths": batch.lengths} if takes_lengths else {}
            with torch.no_grad():
                answer = predict(batch.inputs, batch.restrict(inside).present, **extra)
            classes = _checked_width(answer, len(batch), classes, f"batch {number}, {'+'.join(sorted(inside))}")
            # At least float32: the prior, which joins these, would get ties from half precision.
            outputs.append(answer.detach().cpu().to(torch.promote_types(answer.dtype, torch.float32)))
        tables.append(_filled(outputs, len(batch), classes))
        labels.append(batch.labels.cpu())
        met.append(meets)
        held.append(has.any(0))
    if not labels or classes is None:
        raise DataError("Expected at least one batch in which some sample has some modality, got none.")
    targets = torch.cat(labels)
    constant = _prior_output(prior, targets, classes)
    table = torch.cat([part.expand(-1, -1, classes) for part in tables], dim=1)
    table = torch.where(torch.cat(met, dim=1).unsqueeze(-1), table, constant.to(table.dtype))
    ever = torch.stack(held).any(0).tolist()
    return Played(table, targets, tuple(n for n, seen in zip(modalities, ever, strict=True) if not seen))


def _checked_width(answer: object, size: int, classes: int | None, where: str) -> int:
    """Return the width of a prediction, which must be that of the earlier ones."""
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != size:
        came = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise DataError(f"predict: expected a tensor ({size}, classes) for {where}, got {came}.")
    if classes not in (None, answer.shape[1]):
        raise DataError(f"predict: expected {classes} classes as before for {where}, got {answer.shape[1]}.")
    return answer.shape[1]


def _filled(outputs: list[Tensor | None], size: int, classes: int | None) -> Tensor:
    """Stack a batch's outputs; those not predicted are zeros, which the prior replaces later."""
    blank = torch.zeros(size, classes or 1)
    return torch.stack([blank if output is None else output for output in outputs])


def _prior_output(prior: Tensor | Sequence[float] | None, targets: Tensor, classes: int) -> Tensor:
    """Return what the prior alone outputs (C,): log probabilities of classes, or a constant."""
    categorical = targets.ndim == 1 and not targets.is_floating_point()
    if prior is not None:
        constant = torch.as_tensor(prior, dtype=torch.float64)
        if constant.shape != (classes,):
            raise DataError(f"prior: expected {classes} numbers, one a class, got {tuple(constant.shape)}.")
        if categorical and not (bool((constant >= 0).all()) and abs(float(constant.sum()) - 1) <= 1e-4):
            raise DataError(f"prior: expected probabilities of sum 1, got a sum of {float(constant.sum()):g}.")
    elif categorical:
        if int(targets.min()) < 0 or int(targets.max()) >= classes:
            wrong = int(((targets < 0) | (targets >= classes)).nonzero()[0])
            raise DataError(
                f"Label {int(targets[wrong])} of sample {wrong} is no class: predict gives classes 0 to {classes - 1}."
            )
        constant = targets.long().bincount(minlength=classes).double() / len(targets)
    else:
        constant = targets.double().mean(0).expand(classes)
    # The smallest normal number in place of 0: classes that never occur stay finite in any value function.
    return constant.clamp_min(torch.finfo(torch.float32).tiny).log() if categorical else constant
