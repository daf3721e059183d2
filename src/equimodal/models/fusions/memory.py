"""Fusion by a residual memory: unimodal decisions, pooled, and what the memory adds to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equimodal.models.fusions.base import FUSIONS, Encodings, Presence, check_choices
from equimodal.models.fusions.chain import ChainFusion, Visit
from equimodal.models.fusions.decisions import HEADS
from equimodal.models.fusions.pool import Pool
from equimodal.models.memory import Correction, State


@FUSIONS.register("memory")
class MemoryFusion(ChainFusion):
    r"""Pool the modalities' own decisions, and add what a memory of several modalities makes of them together (ours).

    For the modalities present, in `order`: $a_m = \text{mapping}_m(z_m)$, aligned with the weaker modality's in
    training; $(h_m, c_m) = \mathrm{LSTM}(\tanh(2\,\mathrm{LayerNorm}(a_m)), \cdot)$. From the second modality
    present on, each gives a correction $i_m = V u_m$, made of $h_m$, of the representations so far and of their
    products, see `equimodal.models.memory.Correction`. With M the modalities that give one,

    $$
    \text{logits} = \mathrm{pool}(\mathrm{head}(z_1), \dots, \mathrm{head}(z_n))
    + s\,\frac{1}{|M|}\sum_{m \in M} i_m .
    $$

    A modality alone gets no correction: its decision is that of its head. The strength s is a buffer, 1 at first; with
    a fitted pool it is fitted on validation together with the pool's numbers. It scales outside training only.

    Args:
        feature_level: map encodings into a shared space.
        sample_level: align samples by correlation in training.
        tau: threshold of that correlation.
        memory: have a memory at all; without it this is late fusion.
        dropout: dropout of the correction's hidden units.
        hidden: number of the correction's hidden units.
        heads: "shared", one head for all modalities, or "own".
        pool: "equal", the mean of the logits, or "fitted", see `equimodal.models.fusions.pool.Pool`.

    Example:
        >>> fusion = MemoryFusion(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: the chain of Shi et al., arXiv 2506.00030; a correction of the pool in place of a refined encoding is ours.
    """

    strength: Tensor

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        feature_level: bool = True,
        sample_level: bool = False,
        tau: float = 0.5,
        memory: bool = True,
        dropout: float = 0.2,
        hidden: int = 128,
        heads: str = "shared",
        pool: str = "equal",
    ) -> None:
        check_choices("memory", heads=(heads, HEADS), pool=(pool, ("equal", "fitted")))
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
            bounded=True,
            rotations=True,
            gain=3.0,
            hidden=hidden,
            pool=pool,
        )
        self.pool = Pool(self.modalities, pool)
        self.hidden = hidden
        if memory:
            self.correction = Correction(width, classes, hidden, dropout)
            self.register_buffer("strength", torch.ones(()))

    def terms(self, mapped: Tensor) -> Tensor:
        """Return what the correction needs the sum of."""
        return self.correction.terms(mapped)

    def contribution(self, visit: Visit) -> tuple[Tensor, Tensor]:
        """Return what the modality makes of the state and itself, where the sample has had another one before."""
        return self.correction(visit.h, visit.carried), visit.here & visit.before

    def added(self, encodings: Encodings, present: Presence) -> tuple[Tensor, State]:
        """Return what the memory adds to the pool at full strength (B, C), and the memory's final state."""
        mean, state = self.follow(encodings, present)
        if mean is None:
            first = next(iter(encodings.values()))
            return first.new_zeros(len(first), self.classes), state
        return self.correction.output(mean), state

    def added_to(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return what the memory adds to the pool of each coalition at full strength, (K, B, C)."""
        return self.correction.output(self.follow_coalitions(encodings, present, coalitions, self.hidden))

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        pooled = self.pool(self.decisions(encodings, present), self.stacked(present))
        if not self.remembers:
            return pooled
        added, _ = self.added(encodings, present)
        return pooled + (added if self.training else self.strength * added)

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C), one cell call for each distinct prefix of a coalition in the order."""
        pooled = self.pool(self.decisions(encodings, present), coalitions.unsqueeze(-1) & self.stacked(present))
        if not self.remembers:
            return pooled
        return pooled + self.strength * self.added_to(encodings, present, coalitions)

    def trust(self) -> dict[str, float] | None:
        """Return the weight of each modality in the fitted pool, of mean 1; None for equal weights."""
        return self.pool.trust()
