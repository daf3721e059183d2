"""On-the-fly gradient modulation with generalisation enhancement: leading encoders are slowed, all get noise."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Gradients, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.methods.gradients import encoder_owners, own_logits
from equimodal.models.fusions.base import Encodings

Share = Annotated[float, Field(ge=0, le=1)]


class OGMGEConfig(MethodConfig):
    """Options of gradient modulation.

    Args:
        alpha: strength of the modulation; 0 slows no encoder.
        noise: add Gaussian noise to the encoders' gradients (the GE of the name).
        start: first epoch with modulation: a whole number counts epochs from 0, a fraction (with a decimal point)
            is a share of all epochs.
        end: first epoch without it again, in the same way.
    """

    alpha: float = Field(default=0.3, ge=0)
    noise: bool = True
    start: NonNegativeInt | Share = 0
    end: PositiveInt | Share = 50

    @model_validator(mode="after")
    def _window(self) -> OGMGEConfig:
        if type(self.start) is type(self.end) and self.end <= self.start:
            raise ValueError(f"end: expected an epoch after start ({self.start}), got {self.end}")
        return self


def modulation(scores: Tensor, measured: Tensor, alpha: float) -> Tensor:
    r"""Return the factor of each encoder's gradient, $k_m = 1 - \tanh(\alpha \rho_m)$ where it leads, else 1.

    It leads where $\rho_m = s_m / \overline{s_{j \ne m}} > 1$.

    Args:
        scores: s (n,), not negative.
        measured: bool (n,); the others are neither changed nor compared.
        alpha: strength.

    Returns:
        float64 (n,).

    Example:
        >>> k = modulation(torch.tensor([0.6, 0.3]), torch.tensor([True, True]), alpha=0.5)
        >>> [round(factor, 4) for factor in k.tolist()]  # 1 - tanh(.5 * 2)
        [0.2384, 1.0]
    """
    scores = torch.where(measured, scores.double(), 0.0)
    others = (scores.sum() - scores) / (measured.sum() - 1).clamp(min=1)
    rho = scores / others.clamp(min=torch.finfo(torch.float64).tiny)
    # rho > 1 by differences, which are exact between equals: rounding must not let all of them lead.
    ahead = torch.where(measured.unsqueeze(1) & measured, scores.unsqueeze(1) - scores, 0.0).sum(1)
    return torch.where(ahead > 0, 1 - torch.tanh(alpha * rho), 1.0)


@METHODS.register("ogm_ge")
class OGMGE(Method):
    r"""Joint training in which the encoders of leading modalities are slowed, and all encoders get noise.

    With $P_m = \mathrm{softmax}(z_m)_y$ and $z_m$ a modality's own part of the logits,

    $$
    s_m = \overline{P_m}, \quad \rho_m = \frac{s_m}{\overline{s_{j \ne m}}}, \quad
    k_m = \begin{cases} 1 - \tanh(\alpha \rho_m) & \rho_m > 1 \\ 1 & \text{else} \end{cases}, \qquad
    g \leftarrow k_m\, g + \varepsilon, \; \varepsilon \sim N(0, \mathrm{std}(g)^2)
    $$

    for every tensor's gradient g of encoder m, matrices, biases and norms alike, and for nothing else; the standard
    deviation is over the entries of g before scaling. Outside the window of epochs it is joint training.

    As in the paper $z_m = W_m h_m + b / n$ with concat fusion; with late fusion it is what the modality's head
    says. Ours: $s_m$ is the mean over the samples that have m instead of the sum over the batch (the same where
    all have), a modality absent from a whole batch is not compared, the ratio for n > 2 is to the mean of the
    others, and an encoder that several modalities share gets the mean of their factors.

    Source: Peng et al., 2022, "Balanced Multimodal Learning via On-the-fly Gradient Modulation", CVPR,
    arXiv 2203.15332, eq. 7-10 and 17.
    """

    Config = OGMGEConfig
    fusions = ("concat", "late")
    config: OGMGEConfig

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss, with the encoders' gradients modulated inside the window."""
        encodings = self.model.encode(batch)
        loss = cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        if not self._epochs(self.config.start) <= self.epoch < self._epochs(self.config.end):
            yield Update({"fused": loss}, self.model.modalities)
            return
        factors = self._factors(encodings, batch)
        yield Update(
            {"fused": loss}, self.model.modalities, lambda gradients: self._modulate(gradients["fused"], factors)
        )

    def _epochs(self, point: int | float) -> float:
        return point * self.epochs if isinstance(point, float) else point

    @torch.no_grad()
    def _factors(self, encodings: Encodings, batch: Batch) -> dict[str, Tensor]:
        names = self.model.modalities
        present = torch.stack([batch.present[name] for name in names])
        right = torch.stack([_probability(own_logits(self.model, encodings, name), batch.labels) for name in names])
        scores = torch.where(present, right, 0.0).sum(1) / present.sum(1).clamp(min=1)
        return dict(zip(names, modulation(scores, present.any(1), self.config.alpha), strict=True))

    def _modulate(self, gradients: Gradients, factors: dict[str, Tensor]) -> Gradients:
        mine = {p: owners for p, owners in encoder_owners(self.model).items() if p in gradients}
        if not mine:
            return gradients
        # In place, with one buffer for all noise: allocating memory for every weight costs more than the arithmetic.
        room = torch.empty_like(max(mine, key=torch.numel)).flatten()
        for parameter, owners in mine.items():
            gradient = gradients[parameter]
            # Without Bessel's correction: a tensor of one entry has no spread, and must get no NaN.
            spread = gradient.std(correction=0)
            gradient.mul_(torch.stack([factors[name] for name in owners]).mean().to(gradient.dtype))
            if self.config.noise:
                gradient.addcmul_(room[: gradient.numel()].normal_().view_as(gradient), spread)
        return gradients


def _probability(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.float().softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
