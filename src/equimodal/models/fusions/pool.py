"""The pool of unimodal decisions: equal weights, weights by certainty, or numbers that are fitted on validation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import certainty, masked_average

POOLS = ("equal", "entropy", "fitted")


class Pool(nn.Module):
    r"""Combine the log-probabilities of the modalities present, or their probabilities.

    The *fitted* pool: with $\ell_m = \log \mathrm{softmax}(\text{logits of } m)$, relative weights $r_m > 0$ of mean 1,
    a common inverse temperature $\beta$ and a sharpening exponent $\gamma$, a coalition S has the logits

    $$
    \beta \, \frac{\sum_{m \in S} r_m \ell_m}{\big(\sum_{m \in S} r_m\big)^{\gamma}} .
    $$

    $\gamma = 1$ is a mean, $\gamma = 0$ a product of experts. At first $r_m = \beta = \gamma = 1$: the mean of the
    logits. The numbers are buffers. They are not trained: `equimodal.models.calibration.fit_pool` fits them on
    validation, and they are saved with the model.

    Args:
        modalities: names.
        kind: "equal", the mean; "entropy", weights by sample, see `certainty_weights`; or "fitted", as above.
        average: what is averaged: "logits", or "probabilities" (the result is the log of their weighted mean; $\beta$
            then sharpens each modality's probabilities first, and $\gamma$ has no effect).

    Example:
        >>> pool = Pool(["sure", "noise"], kind="fitted")
        >>> pool.set(torch.tensor([1.9, 0.1]), torch.tensor(1.0), torch.tensor(1.0))
        >>> each = torch.tensor([[[2.0, 0.0]], [[0.0, 4.0]]])  # the noisy modality is sure of the other class
        >>> pool(each, torch.ones(2, 1, dtype=torch.bool)).argmax(-1)
        tensor([0])

    Source: a logarithmic opinion pool (Genest and Zidek, 1986, "Combining probability distributions", Statistical
    Science 1) with one temperature for all (Guo et al., 2017, arXiv 1706.04599); the exponent and how the numbers are
    fitted are ours.
    """

    weights: Tensor
    inverse_temperature: Tensor
    exponent: Tensor

    def __init__(self, modalities: Sequence[str], kind: str = "equal", average: str = "logits") -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.kind = kind
        self.average = average
        if self.fitted:
            self.register_buffer("weights", torch.ones(len(self.modalities)))
            self.register_buffer("inverse_temperature", torch.ones(()))
            self.register_buffer("exponent", torch.ones(()))

    @property
    def fitted(self) -> bool:
        """Whether it has numbers to fit."""
        return self.kind == "fitted"

    def set(self, weights: Tensor, inverse_temperature: Tensor, exponent: Tensor) -> None:
        """Set the fitted numbers: relative weights (n,), inverse temperature and exponent ()."""
        self.weights.copy_(weights)
        self.inverse_temperature.copy_(inverse_temperature)
        self.exponent.copy_(exponent)

    def trust(self) -> dict[str, float] | None:
        """Return the relative weight of each modality, of mean 1; None for equal weights."""
        return dict(zip(self.modalities, self.weights.tolist(), strict=True)) if self.fitted else None

    def forward(self, each: Tensor, mask: Tensor) -> Tensor:
        """Combine the modalities' logits (n, B, C): (B, C) for a mask (n, B), (K, B, C) for (K, n, B)."""
        if self.fitted:
            return weighted_pool(each, mask, self.weights, self.inverse_temperature, self.exponent, self.average)
        values = each if self.average == "logits" else each.softmax(-1)
        if self.kind == "equal":
            mean = masked_average(values, mask)
        else:
            mean = (certainty_weights(each, mask).unsqueeze(-1) * values).sum(-3)
        return mean if self.average == "logits" else _log(mean)


def weighted_pool(
    each: Tensor, mask: Tensor, weights: Tensor, beta: Tensor, gamma: Tensor, average: str = "logits"
) -> Tensor:
    """Return the weighted pool of logits (n, B, C), see `Pool`; differentiable in its numbers.

    Args:
        each: the modalities' logits (n, B, C).
        mask: which of them count, (n, B) or (K, n, B).
        weights: relative weights (n,), positive.
        beta: common inverse temperature ().
        gamma: exponent () of the sum of weights.
        average: "logits" or "probabilities".
    """
    some = mask.to(each.dtype) * weights.to(each.dtype).unsqueeze(-1)  # (..., n, B)
    total = some.sum(-2)  # (..., B)
    total = torch.where(total > 0, total, 1.0)
    if average == "logits":
        summed = torch.einsum("...nb,nbc->...bc", some, each.log_softmax(-1))
        return beta * summed / (total**gamma).unsqueeze(-1)
    mean = torch.einsum("...nb,nbc->...bc", some, (beta * each).softmax(-1)) / total.unsqueeze(-1)
    return _log(mean)


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def certainty_weights(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the weights of modalities by the entropy of each one's prediction: their certainties as shares.

    A row's weights depend on that row alone, and sum to one where any counts.

    Args:
        logits: (n, B, C), each modality's own.
        mask: which of them count, (n, B) or (K, n, B).

    Example:
        >>> unsure, sure = torch.zeros(1, 2), torch.tensor([[50.0, 0.0]])
        >>> weights = certainty_weights(torch.stack([unsure, sure]), torch.ones(2, 1, dtype=torch.bool))
        >>> [round(weight, 3) for weight in weights[:, 0].tolist()]  # entropies log 2 and 0
        [0.333, 0.667]
    """
    weights = torch.where(mask, certainty(logits).expand(mask.shape), 0.0)
    return weights / weights.sum(-2, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
