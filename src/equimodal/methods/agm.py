"""Adaptive gradient modulation: the gradient of each modality's Shapley part of the logits is scaled."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.contribution.coalitions import MAX_EXACT, all_coalitions
from equimodal.contribution.shapley import shapley_operator
from equimodal.errors import ConfigError
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Method, MethodConfig, Outcome, Update, cross_entropy

LARGEST_EXPONENT = 700.0
"""exp() of more is infinite in float64, and the difference of two infinities is not a number."""


class AGMConfig(MethodConfig):
    """Options of adaptive gradient modulation.

    Args:
        alpha: strength of the modulation; 0 is joint training.
        kappa: largest excess of a modality's usual lead over its present one that counts: k is at most
            exp(alpha kappa).
    """

    alpha: float = Field(default=1.0, ge=0)
    kappa: float = Field(default=7.0, ge=0)


def lead(losses: Tensor) -> Tensor:
    r"""Return how far each modality is ahead of the others: $r_m = e^{c (\bar s - s_m)}$, c = n / (n - 1).

    The exponent is the mean of the others' losses minus the modality's own. Above 1 the modality is ahead.

    Args:
        losses: (n,), n at least 2.

    Example:
        >>> [round(r, 4) for r in lead(torch.tensor([0.5, 1.0])).tolist()]  # e^.5 and e^-.5
        [1.6487, 0.6065]
    """
    n = len(losses)
    return (n / (n - 1) * (losses.mean() - losses)).double().clamp(max=LARGEST_EXPONENT).exp()


def modulation(now: Tensor, usual: Tensor, measured: Tensor, alpha: float, kappa: float) -> Tensor:
    r"""Return the factor of each modality's gradient, $k_m = e^{\alpha \min(\tau_m - r_m, \kappa)}$.

    A modality that is further ahead than usual (r above tau) is slowed; one that is further behind is accelerated.

    Args:
        now: losses of this batch (n,).
        usual: losses over all batches so far (n,).
        measured: bool (n,); the others are neither changed nor compared.
        alpha: strength.
        kappa: largest difference that counts.

    Returns:
        float64 (n,).

    Example:
        >>> everyone = torch.tensor([True, True])
        >>> k = modulation(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 1.0]), everyone, alpha=1.0, kappa=7.0)
        >>> [round(factor, 4) for factor in k.tolist()]  # e^(1 - e^.5) and e^(1 - e^-.5)
        [0.5227, 1.4821]
    """
    factors = torch.ones(len(now), dtype=torch.float64, device=now.device)
    if int(measured.sum()) >= 2:
        excess = lead(usual[measured]) - lead(now[measured])
        factors[measured] = (alpha * excess.clamp(max=kappa)).exp()
    return factors


@METHODS.register("agm")
class AGM(Method):
    r"""Joint training in which the gradient of each modality's Shapley part of the logits is scaled.

    The fused logits are split exactly, over all coalitions S with the empty one among them:

    $$
    \phi_m = \sum_{S \not\ni m} \tfrac{|S|!(n-|S|-1)!}{n!} (z_{S \cup m} - z_S),
    \qquad \sum_m \phi_m = z - z_\emptyset
    $$

    With $s_m = -\overline{\log \mathrm{softmax}(\phi_m)_y}$, over the samples that have m, and its average
    $\hat s_m$ over all batches so far,

    $$
    r_m = e^{c (\bar s - s_m)}, \quad \tau_m = e^{c (\bar{\hat s} - \hat s_m)}, \quad c = \tfrac{n}{n-1},
    \qquad k_m = e^{\alpha \min(\tau_m - r_m,\, \kappa)},
    $$

    and the gradient that enters $\phi_m$ from $CE(z)$ is multiplied by $k_m$. In the first batch
    all k are 1.

    A modality out of a coalition is what the fusion makes of an absent one, and the empty coalition is the training
    prior, where the paper feeds zeros (ours). The running average weighs samples, and a modality that is absent
    from a whole batch is not compared (ours): with every sample complete and equal batches it is the mean
    over batches. The paper clips the gradient's norm at 1: `training.clip_norm`.

    Source: Li et al., 2023, "Boosting Multi-modal Model Performance with Adaptive Gradient Modulation", ICCV,
    arXiv 2308.07686.
    """

    Config = AGMConfig
    fusions = LOGIT_FUSIONS
    config: AGMConfig
    operator: Tensor
    _loss_sum: Tensor
    _loss_count: Tensor

    def __init__(self, model: Any, config: AGMConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        n = len(model.modalities)
        if n > MAX_EXACT:
            raise ConfigError(
                f"method 'agm' evaluates all 2**n coalitions of a batch: expected at most {MAX_EXACT} modalities, "
                f"got {n} ({', '.join(model.modalities)}). Leave some out, or choose another method."
            )
        self.coalitions = all_coalitions(n)  # not a buffer: the host reads it
        self.register_buffer("operator", shapley_operator(n).float(), persistent=False)
        self.register_buffer("_loss_sum", torch.zeros(n, dtype=torch.float64))
        self.register_buffer("_loss_count", torch.zeros(n, dtype=torch.float64))

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss, with the gradient of each part scaled."""
        table = self.model.coalitions(self.model.encode(batch), batch.present, self.coalitions).float()  # (2^n, B, C)
        parts = torch.tensordot(self.operator, table, dims=1).float()  # (n, B, C)
        factors = self._factors(parts.detach(), batch).to(parts.dtype)
        # The value of z to the last bit; its derivative by phi_m is k_m.
        logits = table[-1].detach() + torch.tensordot(factors, parts - parts.detach(), dims=1)
        yield Update({"fused": cross_entropy(logits, batch.labels, batch.anything)}, self.model.modalities)

    @torch.no_grad()
    def _factors(self, parts: Tensor, batch: Batch) -> Tensor:
        each = [
            cross_entropy(part, batch.labels, batch.present[name])
            for name, part in zip(self.model.modalities, parts, strict=True)
        ]
        total = torch.stack([total for total, _ in each]).double()
        count = torch.stack([count for _, count in each]).double()
        self._loss_sum += total
        self._loss_count += count
        return modulation(
            total / count, self._loss_sum / self._loss_count, count > 0, self.config.alpha, self.config.kappa
        )
