"""Fusion by cosines: neither the norm of an encoding nor that of a weight makes a modality louder."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import cast

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, Presence, masked_average
from equimodal.models.initial import for_each


@FUSIONS.register("cosine")
class Cosine(Fusion):
    r"""The sum, over the modalities, of the cosine between an encoding and each class's direction.

    $$
    z_c = s\, n \cdot \mathrm{mean}_{m \text{ present}} \cos(W_{m,c}, h_m)
    $$

    With all n modalities present this is $s \sum_m \cos(W_{m,c}, h_m)$. Where some are absent, the mean of the
    others times n keeps the logits' range, from -s n to s n (ours). An encoding of norm 0 has cosine 0.

    Args:
        scale: s, the inverse temperature.

    Raises:
        ConfigError: `scale` is not a number above 0.

    Example:
        >>> fusion = Cosine(["a", "b"], width=4, classes=3, scale=5.0)
        >>> here = torch.tensor([True, True])
        >>> quiet, loud = torch.rand(2, 4), torch.rand(2, 4)
        >>> logits = fusion({"a": quiet, "b": loud}, {"a": here, "b": here})
        >>> torch.allclose(logits, fusion({"a": quiet, "b": 1000 * loud}, {"a": here, "b": here}), atol=1e-4)
        True

    Source: Xu et al., 2023, "MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual Fine-Grained Learning",
    ICASSP, arXiv 2303.05338.
    """

    absence = "left out of the mean of cosines"

    def __init__(self, modalities: Sequence[str], width: int, classes: int, scale: float = 10.0) -> None:
        super().__init__(modalities, width, classes, scale=scale)
        if isinstance(scale, bool) or not isinstance(scale, Real) or not 0 < scale < float("inf"):
            raise ConfigError(f"fusion 'cosine', option 'scale': expected a number above 0, got {scale!r}.")
        self.scale = float(scale)
        self.directions = for_each(self.modalities, lambda _: nn.Linear(width, classes, bias=False))

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's class directions."""
        return [self.directions[modality]]

    def cosines(self, encodings: Tensor, modality: str) -> Tensor:
        """Return the cosine of each encoding with each class's direction: (B, D) -> (B, C)."""
        weight = cast(nn.Linear, self.directions[modality]).weight
        return nn.functional.linear(nn.functional.normalize(encodings, dim=1), nn.functional.normalize(weight, dim=1))

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self._fuse(encodings, self.stacked(present))

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C); the cosines are taken once."""
        here = self.stacked(present)
        return self._fuse(encodings, coalitions.unsqueeze(-1) & here)

    def _fuse(self, encodings: Encodings, mask: Tensor) -> Tensor:
        """Return logits (..., B, C) for a mask (..., n, B)."""
        size = (mask.shape[-1], self.classes)
        each = [
            # Directions that are not used have no gradient, rather than one of zero, which weight decay would apply to.
            self.cosines(encodings[name], name) if bool(here.any()) else encodings[name].new_zeros(size)
            for name, here in zip(self.modalities, mask.unbind(-2), strict=True)
        ]
        return self.scale * len(each) * masked_average(torch.stack(each), mask)
