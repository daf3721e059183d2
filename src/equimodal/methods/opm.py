"""On-the-fly Prediction Modulation: the dominant modality's features are dropped now and then."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.known import Arriving, known
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.modes import evaluating


class OPMConfig(MethodConfig):
    """Options of On-the-fly Prediction Modulation.

    Args:
        base: probability of dropping a modality that is barely dominant.
        strength: lambda, how much more often one is dropped that is far ahead: at most `base * (1 + strength)`.
    """

    base: float = Field(default=0.5, ge=0, le=1)
    strength: float = Field(default=0.5, ge=0)


def discrepancies(scores: Tensor, present: Tensor) -> Tensor:
    r"""Return how far each modality is ahead: the mean ratio of its score to each other one's.

    $$
    \rho_m = \frac{1}{n-1} \sum_{j \ne m} s_m / s_j
    $$

    Args:
        scores: probability of the true class by each modality alone (n, B); means are taken over the rows present.
        present: bool (n, B).

    Returns:
        (n,); NaN for a modality that no row has, or that there is no other to compare with.

    Example:
        >>> discrepancies(torch.tensor([[0.8, 0.8], [0.4, 0.9]]), torch.tensor([[True, True], [True, False]]))
        tensor([2.0000, 0.5000])
    """
    counts = present.sum(1)
    means = torch.where(present, scores, 0.0).sum(1) / counts  # 0 / 0 is NaN: no row
    ratios = means.unsqueeze(1) / means.clamp(min=torch.finfo(means.dtype).tiny)  # (n, n)
    ratios.fill_diagonal_(torch.nan)
    return ratios.nanmean(1)


def drop_probabilities(rho: Tensor, base: float, strength: float) -> Tensor:
    r"""Return $q (1 + \lambda \tanh(\rho - 1))$ where $\rho > 1$, else 0; at most 1.

    Example:
        >>> drop_probabilities(torch.tensor([2.0, 1.0, 0.5]), base=0.5, strength=0.5)
        tensor([0.6904, 0.0000, 0.0000])
    """
    return torch.where(rho > 1, base * (1 + strength * torch.tanh(rho - 1)), 0.0).clamp(max=1)


@METHODS.register("opm")
class OPM(Method):
    r"""Joint training in which a dominant modality's features are dropped, more often the further it is ahead.

    For each batch the score $s_m$ of a modality is the mean probability of the true class by it alone, and

    $$
    \rho_m = \frac{1}{n-1} \sum_{j \ne m} s_m / s_j, \qquad
    q_m = q (1 + \lambda \tanh(\rho_m - 1)) \text{ if } \rho_m > 1, \text{ else } 0.
    $$

    In the next batch, each sample loses modality m with probability $q_m$ between encoder and fusion; the fused
    loss is minimised on what is left. The weakest modality is never dropped.

    Ours: z_m is what the fusion makes of m alone, its absence operator standing for the others (late fusion: the head
    of m); a dropped modality is absent in the same sense (the paper: zeros); means over present rows in place of sums;
    a modality that a batch lacks keeps its probability; a sample never loses all it has.

    Source: Wei, Hu, Du, Wen, 2024, "On-the-fly Modulation for Balanced Multimodal Learning", IEEE TPAMI, arXiv
    2410.11582; the formula of q after public descriptions of its equations 6 to 8, the defaults after the options that
    the authors' launch script sets.
    """

    Config = OPMConfig
    fusions = LOGIT_FUSIONS
    config: OPMConfig
    probabilities: Tensor

    def __init__(self, model: Any, config: OPMConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.register_buffer("probabilities", torch.zeros(len(model.modalities)))
        self._next: Arriving | None = None

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss of what was kept."""
        names = self.model.modalities
        present = torch.stack([batch.present[name] for name in names])
        encodings = self.model.encode(batch)
        kept = self._drop(present)
        self._watch({name: z.detach() for name, z in encodings.items()}, batch, present)
        logits = self.model.fuse(encodings, dict(zip(names, kept, strict=True)))
        yield Update({"fused": cross_entropy(logits, batch.labels, present.any(0))}, batch.modalities)

    def _drop(self, present: Tensor) -> Tensor:
        # Those that the batch before has left: the host knows what is dropped, and does not wait for this batch's.
        probabilities = (self._next or Arriving(self.probabilities)).read()
        stays = torch.rand(present.shape) >= probabilities.unsqueeze(1)
        kept = present & known(stays, present.device)
        return torch.where(kept.any(0), kept, present)

    @torch.no_grad()
    def _watch(self, encodings: dict[str, Tensor], batch: Batch, present: Tensor) -> None:
        """Set the next batch's probabilities from what each modality alone makes of this one."""
        fusion = self.model.fusion
        alone = torch.eye(len(present), dtype=torch.bool)
        with evaluating(fusion):  # a look is not training: it must not count in the running means of encodings
            logits = self.model.coalitions(encodings, batch.present, alone)
        scores = logits.float().softmax(-1)[:, torch.arange(len(batch), device=batch.ids.device), batch.labels]
        rho = discrepancies(scores, present)
        q = drop_probabilities(rho, self.config.base, self.config.strength)
        self.probabilities.copy_(torch.where(rho.isnan(), self.probabilities, q))
        self._next = Arriving(self.probabilities)
