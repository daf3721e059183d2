"""What a fusion is, and the coalition table that every fusion can give from cached encodings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from equimodal.config.arguments import check_arguments
from equimodal.errors import ConfigError
from equimodal.registry import Registry

FUSIONS: Registry[type[Fusion]] = Registry("fusion", "equimodal.models.fusions")

Encodings = Mapping[str, Tensor]
"""Encodings (B, width) by modality; rows where the modality is absent hold zeros."""
Presence = Mapping[str, Tensor]
"""Bool masks (B,) by modality."""


class Fusion(nn.Module):
    """Turn encodings and presence into logits.

    What it does for an absent modality (its *absence operator*) is in `absence`, in words. Rows with nothing
    present may have any result: the classifier answers those with the training prior.

    Args:
        modalities: names, in the data set's order.
        width: size of the encodings.
        classes: number of classes.
        options: the subclass's own arguments, kept so that a saved model can be rebuilt.
    """

    absence: ClassVar[str] = ""

    def __init__(self, modalities: Sequence[str], width: int, classes: int, **options: Any) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.width = width
        self.classes = classes
        self.options = options

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the submodules that belong to one modality alone; all others are shared."""
        return []

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        raise NotImplementedError

    def representation(self, encodings: Encodings, present: Presence) -> Tensor | None:
        """Return what the last linear layer reads (B, F), if one layer makes the logits of all modalities together.

        None: each modality decides by itself first, so that there is no such representation.
        """
        return None

    def trust(self) -> dict[str, float] | None:
        """Return the weight of each modality in a fitted pool, of mean 1; None where the fusion has none."""
        return None

    @property
    def fits_on_training(self) -> bool:
        """Whether `fit` is to be called after each epoch."""
        return False

    def fit(self, encodings: Encodings, present: Presence) -> None:
        """Learn how absent encodings are imputed, from the encodings of training rows; most fusions impute nothing."""

    def stacked(self, present: Presence) -> Tensor:
        """Return the presence of all modalities as one mask (n, B)."""
        return torch.stack([present[name] for name in self.modalities])

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C): row k as if only the modalities of `coalitions[k]` (n,) were present."""
        K, B = len(coalitions), len(next(iter(encodings.values())))
        repeated = {name: encodings[name].repeat(K, 1) for name in self.modalities}
        masks = {
            name: (coalitions[:, i, None] & present[name][None, :]).flatten() for i, name in enumerate(self.modalities)
        }
        return self(repeated, masks).unflatten(0, (K, B))


class OneHead(Fusion):
    """Base of fusions in which one linear layer, `head`, makes the logits of all modalities together.

    A subclass defines `representation`, and makes the head.
    """

    head: nn.Linear

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return what the head reads (B, F)."""
        raise NotImplementedError

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.head(self.representation(encodings, present))


def masked_average(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `values` (n, B, C) over the modalities in `mask` (n, B) or (K, n, B)."""
    weights = mask.to(values.dtype)
    weights = weights / weights.sum(-2, keepdim=True).clamp(min=1)
    return (weights.unsqueeze(-1) * values).sum(-3)


def certainty(logits: Tensor) -> Tensor:
    r"""Return $e^{-H}$ of predictions, from 1/C to 1, H being their entropy in nats: (..., C) -> (...).

    Example:
        >>> certainty(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))  # entropies log 2 and 0
        tensor([0.5000, 1.0000])
    """
    logs = logits.float().log_softmax(-1)
    return (logs.exp() * logs).sum(-1).exp()


def check_choices(fusion: str, **choices: tuple[Any, tuple[str, ...]]) -> None:
    """Refuse options, given as `name=(value, known values)`, whose value is not known.

    Raises:
        ConfigError: all of them together.
    """
    problems = [
        f"fusion '{fusion}', option '{key}': expected {' or '.join(map(repr, known))}, got {value!r}."
        for key, (value, known) in choices.items()
        if value not in known
    ]
    if problems:
        raise ConfigError(problems)


def build_fusion(name: str, modalities: Sequence[str], width: int, classes: int, options: Mapping[str, Any]) -> Fusion:
    """Return a new fusion by name.

    Raises:
        ConfigError: the name, or one of the options, is unknown, or a value is impossible.
    """
    cls = FUSIONS.get(name)
    fixed = ("modalities", "width", "classes")
    checked = check_arguments(cls, options, "model.fusion_options", f"fusion '{name}'", fixed)
    try:
        return cls(modalities, width, classes, **checked)
    except ConfigError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # torch's own words for sizes and rates it cannot take
        raise ConfigError(f"model.fusion: fusion '{name}' cannot be made: {error}.") from error
