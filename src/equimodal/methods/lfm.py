"""LFM: fit the labels and narrow the gap between the modalities' predictions, as far as the two agree."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import (
    LOGIT_FUSIONS,
    METHODS,
    Gradients,
    Loss,
    Method,
    MethodConfig,
    Outcome,
    Update,
    cross_entropy,
)
from equimodal.models.fusions.base import masked_average


class LFMConfig(MethodConfig):
    """Options of LFM.

    Args:
        label_weight: weight of the cross entropy of the fused logits.
        gap_weight: weight of the gap at first, and at most.
        rate: how fast the gap's weight follows the agreement of the two gradients, per epoch; 0 keeps it as it is.
    """

    label_weight: float = Field(default=1.0, gt=0)
    gap_weight: float = Field(default=1.0, ge=0)
    rate: float = Field(default=0.1, ge=0)


def prediction_gap(logits: Tensor, present: Tensor) -> Loss:
    r"""Return the Jensen-Shannon divergence between the modalities' predictions as (sum, count).

    $$
    JS = \frac{1}{k} \sum_m KL(P_m \,\|\, M), \quad M = \frac{1}{k} \sum_m P_m,
    $$

    over the k modalities that a row has; rows with less than two do not count. It is in [0, log k], and each
    prediction is the first argument of its KL, the mixture the second.

    Args:
        logits: (n, B, C), each modality's own.
        present: (n, B).

    Example:
        >>> opposed = torch.tensor([[[99.0, 0.0]], [[0.0, 99.0]]])
        >>> total, count = prediction_gap(opposed, torch.ones(2, 1, dtype=torch.bool))
        >>> round(float(total), 4), int(count)  # log 2
        (0.6931, 1)
    """
    logs = logits.float().log_softmax(-1)
    probabilities = logs.exp()
    mixture = masked_average(probabilities, present).clamp(min=torch.finfo(logs.dtype).tiny).log()
    divergences = (probabilities * (logs - mixture)).sum(-1, keepdim=True)
    each = masked_average(divergences, present).squeeze(-1)
    several = present.sum(0) >= 2
    return torch.where(several, each, 0.0).sum(), several.sum()


def cosine(one: Gradients, other: Gradients) -> Tensor:
    """Return the cosine between two gradients over all parameters; 0 where one of them vanishes."""

    def inner(a: Gradients, b: Gradients) -> Tensor:
        products = [(a[parameter] * b[parameter]).sum() for parameter in a if parameter in b]
        return torch.stack(products).sum() if products else torch.zeros(())

    norms = (inner(one, one) * inner(other, other)).sqrt()
    return torch.where(norms > 0, inner(one, other) / norms, 0.0)


@METHODS.register("lfm")
class LFM(Method):
    r"""Label fitting with a term on the gap between the modalities' predictions, annealed by its gradient.

    Minimise $a_c\,CE(z) + a_a\,JS(P_1, \dots, P_n)$, where JS is the Jensen-Shannon divergence of the
    predictions $P_m = \mathrm{softmax}(z_m)$, with $z_m$ the model's logits when m alone is present.
    After each epoch

    $$
    a_a \leftarrow \mathrm{clip}(a_a + \rho\,\overline{\cos}(\nabla CE, \nabla JS),\ 0,\ a_a^{(0)}),
    $$

    with the mean cosine of the epoch's batches: one step of gradient descent along JS changes CE by minus the inner
    product of the two gradients, so that the gap counts as long as narrowing it helps to fit the labels.

    The paper mixes the classification loss with a contrastive loss between the encodings of paired samples, by a
    weight that falls on a fixed schedule or is learnt by bi-level optimisation. Ours: the divergence of predictions in
    place of the contrastive loss (it works for any n and any presence); the first-order form of the bi-level
    gradient, as a cosine, once per epoch; the bounds.

    Source: Yang, Wan, Jiang, Xu, 2024, "Facilitating Multimodal Classification via Dynamically Learning Modality
    Gap", NeurIPS.
    """

    Config = LFMConfig
    fusions = ("late", *(name for name in LOGIT_FUSIONS if name != "late"))
    config: LFMConfig
    gap_weight: Tensor
    _cosines: Tensor
    _batches: Tensor

    def __init__(self, model: Any, config: LFMConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.register_buffer("gap_weight", torch.tensor(config.gap_weight))
        self.register_buffer("_cosines", torch.zeros(()))
        self.register_buffer("_batches", torch.zeros(()))

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss and the gap."""
        present = torch.stack([batch.present[name] for name in self.model.modalities])
        n = len(present)
        alone_and_all = torch.cat([torch.eye(n, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)])
        logits = self.model.coalitions(self.model.encode(batch), batch.present, alone_and_all)
        losses = {
            "fused": cross_entropy(logits[-1], batch.labels, present.any(0)),
            "gap": prediction_gap(logits[:-1], present),
        }
        yield Update(losses, batch.modalities, self._weigh)

    def _weigh(self, gradients: Mapping[str, Gradients]) -> Gradients:
        fused, gap = gradients["fused"], gradients.get("gap", {})  # no gap where no row has two modalities
        if gap:
            self._cosines += cosine(fused, gap)
            self._batches += 1
        return {
            parameter: self.config.label_weight * gradient + self.gap_weight * gap.get(parameter, 0.0)
            for parameter, gradient in fused.items()
        }

    def on_epoch_trained(self) -> None:
        """Let the gap's weight follow the mean cosine of the epoch."""
        if self._batches > 0:
            step = self.config.rate * self._cosines / self._batches
            self.gap_weight.copy_((self.gap_weight + step).clamp(0, self.config.gap_weight))
        self._cosines.zero_()
        self._batches.zero_()
