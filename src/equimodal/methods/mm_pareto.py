"""MMPareto: each encoder moves in a direction that neither the fused loss nor its own loss objects to."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Gradients, MethodConfig, Outcome, Update
from equimodal.methods.gradients import added, encoder_owners
from equimodal.methods.heads import WithHeads

STATIONARY = 1e-6
"""A min-norm point shorter than this share of the gradients is rounding error: its direction means nothing."""


class MMParetoConfig(MethodConfig):
    """Options of MMPareto.

    Args:
        gamma: factor of the encoders' gradients, in conflict or not.
    """

    gamma: float = Field(default=1.5, gt=0)


def integrate(fused: Sequence[Tensor], own: Sequence[Tensor], gamma: float) -> list[Tensor]:
    r"""Return the gradient of an encoder from that of the fused loss, j, and of the modality's own loss, u.

    $$
    d = \begin{cases} j + u & j \cdot u \ge 0 \\
    2 (a_j j + a_u u), \; \text{lengthened to } \|j + u\| & \text{else} \end{cases}, \qquad
    a_j = \mathrm{clip}\frac{(u - j) \cdot u}{\|u - j\|^2} \in [0, 1], \quad a_u = 1 - a_j,
    $$

    times gamma. In the second case $a_j j + a_u u$ is the shortest vector between the two; its product with
    both is positive, so that a step along it lowers both losses. Where the two cancel there is no such direction, and
    the result is 0.

    Args:
        fused: j, as the tensors of the encoder's parameters.
        own: u, in the same shapes.
        gamma: factor.

    Returns:
        d, in the same shapes.

    Example:
        >>> integrate([torch.tensor([1.0, 0.0])], [torch.tensor([1.0, 2.0])], gamma=1.5)  # they agree
        [tensor([3., 3.])]
        >>> integrate([torch.tensor([3.0, 0.0])], [torch.tensor([-3.0, 4.0])], gamma=1.0)  # along (24, 36)
        [tensor([2.2188, 3.3282])]
    """
    # Tensor by tensor: concatenating an encoder's gradients would cost more than the arithmetic.
    # Both cases are computed, and the device chooses: to ask it which one it is would be to wait for it.
    agreement, jj, uu = _dot(fused, own), _dot(fused, fused), _dot(own, own)
    share = ((uu - agreement) / (uu + jj - 2 * agreement)).clamp(0, 1)  # in conflict all of one sign: nothing cancels
    sums = [j + u for j, u in zip(fused, own, strict=True)]
    shortest = [torch.lerp(u, j, share) for j, u in zip(fused, own, strict=True)]
    length = _dot(shortest, shortest).sqrt()
    total = torch.stack([torch.linalg.vector_norm(each) for each in sums]).norm()
    cancel = length <= STATIONARY * (jj.sqrt() + uu.sqrt())
    factor = torch.where(cancel, 0.0, gamma * total / length)
    return [torch.where(agreement >= 0, gamma * each, factor * part) for each, part in zip(sums, shortest, strict=True)]


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    return torch.stack([a.flatten() @ b.flatten() for a, b in zip(one, other, strict=True)]).sum()


@METHODS.register("mm_pareto")
class MMPareto(WithHeads):
    r"""Joint training with a loss for each modality, whose conflict with the fused loss is resolved encoder by encoder.

    The losses are $CE(z)$ and, through a linear head for each modality that is dropped afterwards,
    $CE(z_m)$. For the gradients of encoder m, $j = \nabla CE(z)$ and $u = \nabla CE(z_m)$: their sum
    where they agree; else the min-norm point between them, times 2 and lengthened to $\|j + u\|$; either times
    gamma (see `integrate`). The fusion and the heads take the gradients of their own losses.

    The min-norm point is never longer than half the sum, so that an encoder's gradient has the length
    $\gamma \|j + u\|$ always: the paper's answer to min-norm steps that come out too short.

    Ours: gradients at a right angle count as agreeing, and so does a gradient of zero; where the two cancel, the
    encoder rests; an encoder that several modalities share takes as u the sum of their gradients.

    Source: Wei and Hu, 2024, "MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance", ICML,
    arXiv 2405.17730.
    """

    Config = MMParetoConfig
    config: MMParetoConfig

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss and every modality's, the encoders' gradients integrated."""
        yield Update(self.losses_of(batch), self.model.modalities, self._combine)

    def _combine(self, gradients: Mapping[str, Gradients]) -> Gradients:
        owners = encoder_owners(self.model)
        step = added({p: g for p, g in each.items() if p not in owners} for each in gradients.values())
        encoders: dict[tuple[str, ...], list[nn.Parameter]] = {}
        for parameter, names in owners.items():
            if any(parameter in each for each in gradients.values()):
                encoders.setdefault(names, []).append(parameter)
        for names, parameters in encoders.items():
            own = added(gradients.get(f"{name} alone", {}) for name in names)
            combined = integrate(
                _complete(gradients["fused"], parameters), _complete(own, parameters), self.config.gamma
            )
            step.update(zip(parameters, combined, strict=True))
        return step


def _complete(gradients: Gradients, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    return [gradients[p] if p in gradients else torch.zeros_like(p) for p in parameters]
