"""Late fusion: each modality decides by itself, and the decisions are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, Presence, masked_average


@FUSIONS.register("late")
class Late(Fusion):
    """The mean, over the modalities present, of what a linear head makes of each encoding.

    Args:
        heads: "own", one head a modality, or "shared", one for all.
        average: "logits", or "probabilities" (the result is then the log of the mean probability).

    Example:
        >>> fusion = Late(["a", "b"], width=4, classes=3, heads="shared")
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    absence = "left out of the mean"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        heads: str = "own",
        average: str = "logits",
    ) -> None:
        super().__init__(modalities, width, classes, heads=heads, average=average)
        problems = [
            f"fusion 'late', option '{key}': expected {' or '.join(map(repr, known))}, got {value!r}."
            for key, value, known in (
                ("heads", heads, ("own", "shared")),
                ("average", average, ("logits", "probabilities")),
            )
            if value not in known
        ]
        if problems:
            raise ConfigError(problems)
        self.average = average
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, classes) for name in (self.modalities if heads == "own" else ("shared",))}
        )
        self.shared = heads == "shared"

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's head, unless one head serves all."""
        return [] if self.shared else [self.heads[modality]]

    def head(self, modality: str) -> nn.Module:
        """Return the head that reads a modality's encodings."""
        return self.heads["shared" if self.shared else modality]

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self._average(encodings, torch.stack([present[name] for name in self.modalities]))

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C); each head runs once."""
        here = torch.stack([present[name] for name in self.modalities])
        return self._average(encodings, coalitions.unsqueeze(-1) & here)

    def _average(self, encodings: Encodings, mask: Tensor) -> Tensor:
        each = torch.stack([self.head(name)(encodings[name]) for name in self.modalities])  # (n, B, C)
        if self.average == "logits":
            return masked_average(each, mask)
        mean = masked_average(each.softmax(-1), mask)
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
