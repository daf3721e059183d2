"""Information acquisition regulation: early on, encoders that are ahead are held near the weights of last epoch."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.data.dataset import Dataset
from equimodal.known import HostBuffers, known
from equimodal.methods.base import METHODS, Gradients, Loss, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.methods.gradients import added, encoder_parameters, own_logits
from equimodal.models.fusions.base import Encodings


class InfoRegConfig(MethodConfig):
    """Options of information acquisition regulation.

    Args:
        beta: how much the regulation grows with a modality's lead; at 0 all that are ahead are regulated alike.
        threshold: K, growth of the Fisher information from one epoch to the next, as a share of the latter, above
            which an encoder is in its prime learning window.
    """

    beta: float = Field(default=0.9, ge=0)
    threshold: float = Field(default=0.04, gt=0, lt=1)


def leads(scores: Tensor, measured: Tensor) -> Tensor:
    r"""Return by how much each modality is ahead, $\Delta_m$: the mean of its distances to all that are behind.

    Args:
        scores: s (n,), higher is better.
        measured: bool (n,); the others are not compared.

    Returns:
        (n,), not negative; 0 for the last.

    Example:
        >>> leads(torch.tensor([-1.0, -3.0, -2.0]), torch.ones(3, dtype=torch.bool))
        tensor([1.5000, 0.0000, 1.0000])
    """
    distances = scores.unsqueeze(1) - scores
    behind = measured.unsqueeze(1) & measured & (distances > 0)
    return torch.where(behind, distances, 0.0).sum(1) / behind.sum(1).clamp(min=1)


@METHODS.register("info_reg")
class InfoReg(HostBuffers, Method):
    r"""Joint training in which, early on, the encoders of leading modalities are held near last epoch's weights.

    For each modality, with $z_m$ its own part of the logits, over the samples of the batch that have it:

    $$
    s_m = \overline{\log \mathrm{softmax}(z_m)_y}, \qquad
    \Delta_m = \overline{s_m - s_j} \text{ over all } j \text{ with } s_j < s_m \quad (0 \text{ if there is none})
    $$

    From the third epoch t on, the loss is

    $$
    CE(z) + \sum_m \tfrac{\alpha_m}{2} \|w_m - w_m^{t-1}\|^2, \qquad \alpha_m = e^{\beta \tanh \Delta_m},
    $$

    where w are an encoder's weights, $w^{t-1}$ those at the end of the epoch before, and the sum is over the
    modalities with $\Delta_m > 0$ that are in their *prime learning window*: their Fisher information still
    grows,

    $$
    \frac{\mathrm{Tr} F_m^{t-1} - \mathrm{Tr} F_m^{t-2}}{\mathrm{Tr} F_m^{t-1}} > K.
    $$

    As in the paper $z_m = W_m h_m + b / n$ with concat fusion; with late fusion it is what the modality's head
    says. Ours: (1) the paper prints $s_m$ with a minus sign, as a loss, but calls it a performance and regulates
    the modality that has more of it: we take the log-likelihood, so that it is the better one; (2) $\mathrm{Tr}
    F_m$ is the mean over the epoch's batches of the squared norm of the batch's gradient of CE(z), as in the paper's
    eq. 13, instead of eq. 7's pass over single samples; batches without the modality do not count. In the history the
    regulation of a modality is the mean over the batches in its window, 0 where it is not ahead.

    Source: Huang et al., 2025, "Adaptive Unimodal Regulation for Balanced Multimodal Information Acquisition", CVPR,
    arXiv 2503.18595, eq. 7-16 and algorithm 1.
    """

    Config = InfoRegConfig
    fusions = ("concat", "late")
    config: InfoRegConfig
    anchor: Tensor
    traces: Tensor
    hosted = ("traces",)
    _squares: Tensor
    _batches: Tensor

    def __init__(self, model: Any, config: InfoRegConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        n = len(model.modalities)
        self.register_buffer("anchor", self._weights())
        self.register_buffer("traces", torch.zeros(2, n, dtype=torch.float64))  # the epoch before last, the last
        self.register_buffer("_squares", torch.zeros(n, dtype=torch.float64))
        self.register_buffer("_batches", torch.zeros(n, dtype=torch.float64))

    def _encoders(self) -> list[list[nn.Parameter]]:
        return [encoder_parameters(self.model, name) for name in self.model.modalities]

    def _weights(self) -> Tensor:
        weights = [p.detach().flatten() for parameters in self._encoders() for p in parameters]
        return torch.cat(weights) if weights else torch.zeros(0, device=self.model.device)

    def on_epoch_start(self, train: Dataset) -> None:
        """Store the weights at the end of the epoch before."""
        self.anchor.copy_(self._weights())

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss, and the regulation of the encoders that are ahead in their window."""
        encodings = self.model.encode(batch)
        losses: dict[str, Loss] = {
            "fused": cross_entropy(self.model.fuse(encodings, batch.present), batch.labels, batch.anything)
        }
        if self.epoch >= 2:
            losses |= self._regulation(encodings, batch)
        yield Update(losses, self.model.modalities, self._add_up)

    def _regulation(self, encodings: Encodings, batch: Batch) -> dict[str, Loss]:
        lead = leads(*self._scores(encodings, batch))
        before, last = self.traces
        in_window = known(last - before > self.config.threshold * last, lead.device)
        strength = torch.exp(self.config.beta * torch.tanh(lead))
        anchors = iter(self.anchor.split([p.numel() for parameters in self._encoders() for p in parameters]))
        losses: dict[str, Loss] = {}
        for m, (name, parameters) in enumerate(zip(self.model.modalities, self._encoders(), strict=True)):
            if parameters:  # not frozen
                way = torch.stack([((p - next(anchors).view_as(p)) ** 2).sum() for p in parameters]).sum()
                term = torch.where(lead[m] > 0, strength[m] / 2 * way, 0.0)
                losses[f"{name} regulation"] = (term, (in_window[m] & batch.present[name].any()).long())
        return losses

    @torch.no_grad()
    def _scores(self, encodings: Encodings, batch: Batch) -> tuple[Tensor, Tensor]:
        each = [
            cross_entropy(own_logits(self.model, encodings, name), batch.labels, batch.present[name])
            for name in self.model.modalities
        ]
        counts = torch.stack([count for _, count in each])
        return -torch.stack([total for total, _ in each]) / counts.clamp(min=1), counts > 0

    @torch.no_grad()
    def _add_up(self, gradients: Mapping[str, Gradients]) -> Gradients:
        """Return the sum of the gradients; add up the squared norms of the fused loss's.

        What the fused loss does not reach has no lead to regulate.
        """
        fused = gradients["fused"]
        for m, parameters in enumerate(self._encoders()):
            own = [fused[p] for p in parameters if p in fused]
            if own:
                self._squares[m] += torch.stack([(g.double() ** 2).sum() for g in own]).sum()
                self._batches[m] += 1
        return added({p: g for p, g in each.items() if p in fused} for each in gradients.values())

    def on_epoch_trained(self) -> None:
        """Store the epoch's Fisher information."""
        self.traces.copy_(torch.stack([self.traces[1], (self._squares / self._batches.clamp(min=1)).cpu()]))
        self._squares.zero_()
        self._batches.zero_()
