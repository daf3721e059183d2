"""Fusion by refined encodings, as the paper has it: each modality's decision is refined by those before it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from equimodal.models.fusions.base import FUSIONS, Encodings, Presence, check_choices, masked_average
from equimodal.models.fusions.chain import Chain, ChainFusion, Visit
from equimodal.models.fusions.decisions import HEADS
from equimodal.models.memory import Refinement


@FUSIONS.register("refined")
class RefinedFusion(ChainFusion):
    r"""Pass a memory over the modalities in `order`, and average the logits of the steps.

    For each modality m present: align $\text{mapping}_m(z_m)$ with the weaker modality's, update the memory, refine
    $r_m = z_m + U\,\mathrm{dropout}(h)$, decide $s_m = \mathrm{head}(r_m)$. The result is the mean of $s_m$.

    Args:
        feature_level: map encodings into a shared space.
        sample_level: align samples by correlation in training.
        tau: threshold of that correlation.
        memory: refine by memory at all; without it this is late fusion with a shared head.
        dropout: dropout of the memory's state on its way into the refinement.
        heads: "shared", one head for all modalities, or "own".

    Example:
        >>> import torch
        >>> fusion = RefinedFusion(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Shi et al., arXiv 2506.00030.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        feature_level: bool = True,
        sample_level: bool = True,
        tau: float = 0.5,
        memory: bool = True,
        dropout: float = 0.5,
        heads: str = "shared",
    ) -> None:
        check_choices("refined", heads=(heads, HEADS))
        super().__init__(
            modalities,
            width,
            classes,
            feature_level=feature_level,
            sample_level=sample_level,
            tau=tau,
            memory=memory,
            dropout=dropout,
            heads=heads,
            bounded=False,
            rotations=False,
            gain=1.0,
        )
        if memory:
            self.refinement = Refinement(width, dropout)

    def contribution(self, visit: Visit) -> tuple[Tensor, Tensor]:
        """Return the logits of the refined encoding, where the sample has the modality."""
        return self.head(visit.name)(self.refinement(visit.encoding, visit.h)), visit.here

    def step(self, name: str, encoding: Tensor, present: Tensor, chain: Chain) -> tuple[Tensor, Chain]:
        """Visit one modality.

        Args:
            name: the modality.
            encoding: its encodings (B, D).
            present: bool (B,).
            chain: what the weaker modalities left.

        Returns:
            The step's logits (B, C), and the chain for the next modality. Rows where the modality is absent have
            meaningless logits and an unchanged state.
        """
        chain = self.advance(name, encoding, present, chain)
        return self.head(name)(self.refinement(encoding, chain.state[0])), chain

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        if not self.remembers:
            return masked_average(self.decisions(encodings, present), self.stacked(present))
        mean, _ = self.follow(encodings, present)
        return (
            next(iter(encodings.values())).new_zeros(len(present[self.modalities[0]]), self.classes)
            if mean is None
            else mean
        )

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C), one cell call for each distinct prefix of a coalition in the order."""
        if not self.remembers:
            mask = coalitions.unsqueeze(-1) & self.stacked(present)
            return masked_average(self.decisions(encodings, present), mask)
        return self.follow_coalitions(encodings, present, coalitions, self.classes)
