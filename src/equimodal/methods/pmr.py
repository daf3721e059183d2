"""Prototypical modal rebalance: the slower modality is drawn to its class prototypes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.known import HostBuffers, known
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Loss, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.models.fusions.base import Encodings


class PMRConfig(MethodConfig):
    """Options of prototypical modal rebalance.

    Args:
        alpha: weight of the slower modalities' prototype loss.
        momentum: weight of the past in the prototypes, at each batch (the default is ours).
        entropy: weight of the faster modalities' entropy (the default is ours).
        entropy_epochs: how many epochs, from the first, have the entropy term (the default is ours).
    """

    alpha: float = Field(default=1.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    entropy: float = Field(default=0.1, ge=0)
    entropy_epochs: int = Field(default=5, ge=0)


def similarity(encodings: Tensor, prototypes: Tensor, known: Tensor) -> Tensor:
    """Return minus the distance of each encoding to each prototype: (B, D), (C, D), bool (C,) -> (B, C).

    Classes without a prototype get the smallest finite number: no probability, and no gradient.

    Example:
        >>> prototypes = torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
        >>> near = similarity(torch.zeros(1, 2), prototypes, torch.tensor([True, True, False]))
        >>> near[:, :2].tolist(), near.softmax(-1)[:, 2].tolist()
        ([[-0.0, -5.0]], [0.0])
    """
    distances = torch.cdist(encodings.float(), prototypes, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.where(known, -distances, torch.finfo(distances.dtype).min)


def imbalance(scores: Tensor, measured: Tensor) -> Tensor:
    r"""Return each modality's score over the mean of the others', $\rho_m = s_m / \mathrm{mean}_{j \ne m} s_j$.

    Args:
        scores: mean probability of the true class (n,).
        measured: bool (n,); for the others, and where nothing can be compared, the ratio is 1.

    Example:
        >>> imbalance(torch.tensor([0.6, 0.3]), torch.tensor([True, True])).tolist()
        [2.0, 0.5]
    """
    others = measured & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    rest = torch.where(others, scores, 0.0).sum(1) / others.sum(1).clamp(min=1)
    least = torch.finfo(scores.dtype).tiny  # where all probabilities are 0, no modality is ahead
    return torch.where(measured & others.any(1), (scores + least) / (rest + least), 1.0)


@METHODS.register("pmr")
class PMR(HostBuffers, Method):
    r"""Joint training that draws the slower modality to its class prototypes, and regularises the faster one early on.

    With prototypes $c_m$ (C, D), $q_m = \mathrm{softmax}(-\lVert h_m - c_m \rVert)$, and
    $s_m$ the mean of $q_m[y]$ over the batch,

    $$
    CE(z) + \alpha \sum_m \beta_m CE(q_m) - \mu \sum_m \gamma_m H(q_m), \quad
    \rho_m = \frac{s_m}{\mathrm{mean}_{j \ne m} s_j}, \quad
    \beta_m = \mathrm{clip}(1/\rho_m - 1, 0, 1), \quad \gamma_m = \mathrm{clip}(\rho_m - 1, 0, 1),
    $$

    the last term in the first `entropy_epochs` epochs only. It is added as $\log C - H$, which has the same
    gradient and is never negative.

    Prototypes follow the encodings of the training batches, after each step: at first the mean of a class in the
    batch, then an exponential average (ours; the paper averages over training rows once per epoch, which costs
    another pass). A class counts once it has a prototype. Ratios for more than two modalities are against the mean
    of the others, and s is a mean over the samples that have m (ours); for two complete modalities both are the
    paper's.

    Source: Fan et al., 2023, "PMR: Prototypical Modal Rebalance for Multimodal Learning", CVPR, arXiv 2211.07089.
    """

    Config = PMRConfig
    fusions = LOGIT_FUSIONS
    config: PMRConfig
    prototypes: Tensor
    known: Tensor
    hosted = ("known",)

    def __init__(self, model: Any, config: PMRConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        n, C = len(model.modalities), len(model.classes)
        self.register_buffer("prototypes", torch.zeros(n, C, model.width))
        self.register_buffer("known", torch.zeros(n, C, dtype=torch.bool))

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update; then update the prototypes."""
        names = self.model.modalities
        encodings, classes = self.model.encode(batch), known(self.known, batch.labels.device)
        losses: dict[str, Loss] = {
            "fused": cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        }
        near = [similarity(encodings[m], self.prototypes[i], classes[i]) for i, m in enumerate(names)]
        rows = torch.stack([batch.present[m] & classes[i, batch.labels] for i, m in enumerate(names)])
        ratios = self._ratios(torch.stack(near).detach(), rows, batch.labels)
        slower, faster = (1 / ratios - 1).clamp(0, 1), (ratios - 1).clamp(0, 1)
        for i, name in enumerate(names):
            total, count = cross_entropy(near[i], batch.labels, rows[i])
            losses[f"{name} to prototypes"] = (self.config.alpha * slower[i] * total, count)
            if self.epoch < self.config.entropy_epochs:
                certain = torch.where(rows[i], certainty(near[i], classes[i]), 0.0).sum()
                losses[f"{name} certainty"] = (self.config.entropy * faster[i] * certain, count)
        yield Update(losses, names)
        self._follow(encodings, batch)

    @staticmethod
    def _ratios(near: Tensor, rows: Tensor, labels: Tensor) -> Tensor:
        true = near.softmax(-1)[:, torch.arange(len(labels), device=labels.device), labels]  # (n, B)
        scores = torch.where(rows, true, 0.0).sum(1) / rows.sum(1).clamp(min=1)
        return imbalance(scores, rows.any(1))

    @torch.no_grad()
    def _follow(self, encodings: Encodings, batch: Batch) -> None:
        for i, name in enumerate(self.model.modalities):
            here = batch.present[name]
            labels, seen = batch.labels[here], encodings[name].detach()[here].float()
            sums = torch.zeros_like(self.prototypes[i]).index_add_(0, labels, seen)
            counts = labels.bincount(minlength=len(sums)).unsqueeze(1)
            step = torch.where(known(self.known[i], labels.device), 1 - self.config.momentum, 1.0).unsqueeze(1) * (
                counts > 0
            )
            self.prototypes[i] += step * (sums / counts.clamp(min=1) - self.prototypes[i])
            self.known[i] |= (counts.squeeze(1) > 0).cpu()


def certainty(logits: Tensor, known: Tensor) -> Tensor:
    """Return log C - H of the probabilities over the C classes that are known: (B, C') -> (B,).

    It is 0 for a uniform guess, and log C where one class has everything.

    Example:
        >>> known = torch.tensor([True, True, False])
        >>> flat = torch.tensor([[0.5, 0.5, torch.finfo(torch.float32).min]])
        >>> certainty(flat, known).abs().tolist()
        [0.0]
    """
    log_p = logits.log_softmax(-1)
    return known.sum().clamp(min=1).log() + torch.where(known, log_p.exp() * log_p, 0.0).sum(-1)
