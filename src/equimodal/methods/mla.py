"""MLA: alternating training that protects what the shared head has learnt from the other modalities."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.errors import ConfigError
from equimodal.methods.alternating import Alternating
from equimodal.methods.base import METHODS, Gradients, MethodConfig, Outcome, Update, cross_entropy


class MLAConfig(MethodConfig):
    """Options of MLA.

    Args:
        projection: project the gradient of the shared head; without it the steps are those of `alternating`.
        damping: base of the projector's damping, which falls from it to its square in the course of training.
        pool: how inference weighs the modalities present: "entropy", by how sure each is, "equal", or "fitted" on
            validation.
    """

    projection: bool = True
    damping: float = Field(default=0.1, gt=0, le=1)
    pool: Literal["entropy", "equal", "fitted"] = "entropy"


def narrow(projector: Tensor, direction: Tensor, damping: float) -> Tensor:
    r"""Return the projector after it has seen a direction: a step of recursive least squares, scaled to norm 1.

    $$
    P \leftarrow P - \frac{k k^\top}{a + r^\top k}, \quad k = P r, \qquad P \leftarrow P / \lVert P \rVert_F
    $$

    Before the scaling this is $(P^{-1} + r r^\top / a)^{-1}$: what lies along r shrinks, the rest stays.

    Args:
        projector: P (D, D), symmetric and positive definite.
        direction: r (D,).
        damping: a; the smaller, the less is left along r.

    Example:
        >>> narrow(torch.eye(2), torch.tensor([3.0, 0.0]), damping=1.0)
        tensor([[0.0995, 0.0000],
                [0.0000, 0.9950]])
    """
    k = projector @ direction
    narrowed = projector - torch.outer(k, k) / (damping + direction @ k)
    return narrowed / torch.linalg.matrix_norm(narrowed)


@METHODS.register("mla")
class MLA(Alternating):
    r"""Alternating training with the shared head's gradient projected away from directions seen before.

    For each batch and each modality m in the declared order one step on $CE(W h_m + b)$, in which the gradient
    of W becomes $g_W P$. P starts as the identity and has, by then, met the batch mean r of the encodings of m
    (over the rows that have m):

    $$
    P \leftarrow P - \frac{k k^\top}{a + r^\top k}, \quad k = P r, \quad a = \delta^{1 + t/T}, \qquad
    P \leftarrow P / \lVert P \rVert_F.
    $$

    Inference averages the logits with weights by sample, a softmax over the modalities present of minus the entropy
    of its own prediction.

    Ours: t and T count epochs; r is not used, and no step is taken, where no row of the batch has m; the bias is not
    projected. Without projection the steps are exactly those of `alternating`.

    Source: Zhang, Yoon, Bansal, Yao, 2024, "Multimodal Representation Learning by Alternating Unimodal Adaptation",
    CVPR, arXiv 2311.10707.
    """

    Config = MLAConfig
    config: MLAConfig
    projector: Tensor

    def __init__(self, model: Any, config: MLAConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        if config.projection and not self.fusion.shared:
            raise ConfigError(
                "model.fusion_options: MLA projects the gradient of one head that all modalities share, but the model "
                "has heads: own. Use heads: shared, or method.projection: false."
            )
        self.register_buffer("projector", torch.eye(model.width))

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update per modality."""
        if not self.config.projection:
            yield from super().updates(batch)
            return
        for name in self.order:
            encoding, present = self.model.encode_one(batch, name), batch.present[name]
            loss = cross_entropy(self.fusion.head(name)(encoding), batch.labels, present)
            seen = encoding.detach()[present].float()
            yield Update({name: loss}, (name,), partial(self._project, name, seen))

    def _project(self, name: str, seen: Tensor, gradients: Mapping[str, Gradients]) -> Gradients:
        damping = self.config.damping ** (1 + self.epoch / self.epochs)
        self.projector.copy_(narrow(self.projector, seen.mean(0), damping))
        weight = self.fusion.head(name).weight
        return {p: g @ self.projector if p is weight else g for p, g in gradients[name].items()}
