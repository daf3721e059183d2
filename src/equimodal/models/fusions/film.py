"""Fusion by modulation: each modality scales and shifts the others' encodings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS, Encodings, OneHead, Presence, masked_average
from equimodal.models.initial import for_each


@FUSIONS.register("film")
class FiLM(OneHead):
    r"""Feature-wise linear modulation (FiLM) of every modality by the others present.

    $$
    (\gamma_k, \beta_k) = G_k h_k + g_k, \qquad
    u_m = \mathrm{ReLU}\bigl((1 + \bar\gamma_{-m}) h_m + \bar\beta_{-m}\bigr), \qquad
    z = W \, \overline{u} + b
    $$

    $\bar\gamma_{-m}$ and $\bar\beta_{-m}$ are means over the modalities present other than m, $\overline{u}$ is the
    mean over all present. A modality alone is not modulated.

    Ours: the paper has one modality (a question) modulate another (a picture). Here each modulates all others, so that
    none is declared the leading one; with several others the mean of their scales and shifts is taken. For two
    modalities it is FiLM in both directions.

    Example:
        >>> fusion = FiLM(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Perez et al., 2018, "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI, arXiv 1709.07871.
    """

    absence = "left out of the means: it modulates no other and is not read"

    def __init__(self, modalities: Sequence[str], width: int, classes: int) -> None:
        super().__init__(modalities, width, classes)
        self.modulations = for_each(self.modalities, lambda _: nn.Linear(width, 2 * width))
        self.head = nn.Linear(width, classes)

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the map that gives the modality's scales and shifts of the others."""
        return [self.modulations[modality]]

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the mean of the modulated encodings: (B, D)."""
        mask = self.stacked(present)  # (n, B)
        stacked = torch.stack([encodings[name] for name in self.modalities])  # (n, B, D)
        modulations = torch.stack([self._modulation(encodings[name], present[name], name) for name in self.modalities])
        others = mask.unsqueeze(0) & ~torch.eye(len(mask), dtype=torch.bool, device=mask.device).unsqueeze(-1)
        scale, shift = masked_average(modulations, others).chunk(2, dim=-1)  # each (n, B, D)
        return masked_average(torch.relu((1 + scale) * stacked + shift), mask)

    def _modulation(self, encoding: Tensor, present: Tensor, modality: str) -> Tensor:
        if present.any():
            return self.modulations[modality](encoding)
        return encoding.new_zeros(len(encoding), 2 * self.width)  # no gradient: weight decay would move the map
