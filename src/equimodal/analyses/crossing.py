"""One trained model read in other orders and without its memory: what training did, and what reading does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from equimodal.data.dataset import Dataset
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import encode_all, joined
from equimodal.models.fusions.chain import ChainFusion
from equimodal.models.fusions.refined import RefinedFusion

OFF = "crossing.off"
"""Column of the accuracy without the memory, in which no order has any effect."""


def reading_orders(own: Sequence[str], modalities: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the orders in which a model is read: its own, the reverse, and each modality first.

    Args:
        own: the order that it was trained in.
        modalities: names, as declared.

    Example:
        >>> reading_orders(("b", "a"), ("a", "b"))
        {'own': ('b', 'a'), 'reversed': ('a', 'b'), 'first.a': ('a', 'b'), 'first.b': ('b', 'a')}
    """
    firsts = {f"first.{name}": (name, *(other for other in own if other != name)) for name in modalities}
    return {"own": tuple(own), "reversed": tuple(reversed(own)), **firsts}


@torch.no_grad()
def cross(model: Classifier, fusion: ChainFusion, data: Dataset, batch_size: int = 256) -> dict[str, Any]:
    """Return a model's accuracies for every order of inference, with the memory and without; each encoder runs once.

    Args:
        model: the classifier; it is in evaluation mode, and as before afterwards.
        fusion: the model's.
        data: in the form that the encoders take.
        batch_size: rows that are encoded at a time.

    Returns:
        `order`, the model's own, and accuracies:

        - `crossing.<order>`: fused, for each of `reading_orders`; `crossing.off` without the memory;
        - `alone.on.<m>` and `alone.off.<m>`: of each modality alone, with and without the memory (a residual memory
          leaves a modality alone as it is: both are the same);
        - where the modalities' encodings are refined, `step.<order>.<m>`: of each modality's step, which has read the
          memory of those before it, over the rows that have the modality; `step.alone.<m>`: of the modality alone on
          the same rows.
    """
    names, own = model.modalities, fusion.order
    known = joined(encode_all(model, data, batch_size))
    encodings, present, labels = known.encodings, known.present, known.labels
    every = torch.ones(1, len(names), dtype=torch.bool)
    each = torch.eye(len(names), dtype=torch.bool)

    def fused() -> float | None:
        return _accuracy(model.coalitions(encodings, present, every)[0], labels)

    accuracies: dict[str, Any] = {"order": list(own)}
    for title, order in reading_orders(own, names).items():
        with _read_in(fusion, order):
            accuracies[f"crossing.{title}"] = fused()
            if isinstance(fusion, RefinedFusion) and not title.startswith("first."):
                for name, logits in _steps(fusion, encodings, present).items():
                    accuracies[f"step.{title}.{name}"] = _accuracy(logits, labels, present[name])
    for title, context in (("on", nullcontext), ("off", fusion.forgetting)):
        with context():
            alone = model.coalitions(encodings, present, each)
        for name, logits in zip(names, alone, strict=True):
            accuracies[f"alone.{title}.{name}"] = _accuracy(logits, labels)
            if isinstance(fusion, RefinedFusion) and title == "on":
                accuracies[f"step.alone.{name}"] = _accuracy(logits, labels, present[name])
    with fusion.forgetting():
        accuracies[OFF] = fused()
    return accuracies


@contextmanager
def _read_in(fusion: ChainFusion, order: Sequence[str]) -> Iterator[None]:
    own = fusion.order
    fusion.order = tuple(order)
    try:
        yield
    finally:
        fusion.order = own


def _steps(fusion: RefinedFusion, encodings: dict[str, Tensor], present: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the logits of each step when all modalities are visited."""
    if not fusion.remembers:
        return {name: fusion.head(name)(encodings[name]) for name in fusion.order}
    chain = fusion.start(len(next(iter(encodings.values()))))
    found = {}
    for name in fusion.order:
        found[name], chain = fusion.step(name, encodings[name], present[name], chain)
    return found


def _accuracy(logits: Tensor, labels: Tensor, rows: Tensor | None = None) -> float | None:
    right = logits.argmax(-1) == labels
    if rows is not None:
        right = right[rows]
    return float(right.double().mean()) if len(right) else None
