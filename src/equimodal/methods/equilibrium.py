"""The method of this library: weak-to-strong alternating training with a memory of what no modality knows alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.known import HostBuffers
from equimodal.methods.base import METHODS, Loss, Outcome, Update, cross_entropy
from equimodal.methods.scheduled import MappingConfig, MemoryConfig, Scheduled, ScheduledConfig
from equimodal.models.encoded import Encoded, joined
from equimodal.models.fusions.base import Encodings
from equimodal.models.fusions.memory import MemoryFusion

EXPLORED = 0.5
"""Largest share of its own loss in an encoder's gradient at the start, while interactions are looked for (ours)."""
URGENCY = 4.0
"""How many times the memory's gain counts beside the pool's: its own loss needs less of the gradient (ours)."""


class ResidualMemoryConfig(MemoryConfig):
    """Options of the residual memory.

    Args:
        enabled: have a memory.
        dropout: dropout of the correction's hidden units.
        inherit: "epoch", start from the mean final state of the epoch before, or "none".
        encoders: let the gradient of the correction reach the encoders; without it, it trains mapping and memory alone.
        coalitions: probability that a batch's correction is trained on a random coalition of two or more modalities
            instead of all.
    """

    dropout: float = Field(default=0.2, ge=0, lt=1)
    encoders: bool = True
    coalitions: float = Field(default=0.5, ge=0, le=1)


class EquilibriumConfig(ScheduledConfig[MappingConfig, ResidualMemoryConfig]):
    """Options of the method, beside those of its schedule.

    Args:
        order: strategy of the schedule, or a list: always that order.
        initial: order of the first epoch; by default as declared.
        hysteresis: neighbours swap only when their shares differ by more than so many standard errors.
        smoothing: weight of the past in an exponential average of the shares.
        freeze: share of the epochs, at the end of training, in which the order stays as it is.
        alternation: visit all modalities for each batch, or one a pass over the data.
        mapping: see `MappingConfig`.
        memory: see `ResidualMemoryConfig`.
        pool: how the modalities' decisions are pooled: "fitted" on validation, or "equal".
        balance: weigh an encoder's two gradients by what each has gained on validation, see `Equilibrium`; without,
            they are added up.
        explore: share of the epochs, at the start, in which that weight is kept from rising above .5, less and less.
    """

    freeze: float = Field(default=0.5, ge=0, le=1)
    mapping: MappingConfig = MappingConfig()
    memory: ResidualMemoryConfig = ResidualMemoryConfig()
    pool: Literal["fitted", "equal"] = "fitted"
    balance: bool = True
    explore: float = Field(default=0.5, ge=0, le=1)


@METHODS.register("equilibrium")
class Equilibrium(HostBuffers, Scheduled[EquilibriumConfig]):
    r"""Train each modality by itself, weak to strong, and a memory on what no modality knows alone.

    For each batch every encoder runs once, $z_m = f_m(x_m)$. The memory passes over the modalities in ascending order
    of their share of the Shapley contribution, gives a correction $i_m$ from the second one on (see
    `equimodal.models.fusions.memory.MemoryFusion`), and takes a step on

    $$
    L_\text{residual} = CE\big(\mathrm{stop\_gradient}(\mathrm{pool}(\mathrm{head}(z_1), \dots, \mathrm{head}(z_n)))
    + \tfrac{1}{|M|} \sum_{m \in M} i_m, \; y\big),
    $$

    with probability `memory.coalitions` on a random coalition of two or more. What the modalities' own decisions
    explain is a constant there, so that only what is left over (the interaction) asks anything. Then each modality m,
    in the same order, takes a step on

    $$ L_m = CE(\mathrm{head}(z_m), y), $$

    through one head for all. No gradient of the residual reaches the head. The encoder receives a mix of both losses'
    gradients with respect to its encodings, $g_m$ and $r_m$, each by what it has gained (*balance*):

    $$
    \rho\, g_m + (1 - \rho) \frac{\lVert g_m \rVert}{\lVert r_m \rVert} r_m, \qquad
    \rho = \frac{P^2}{P^2 + (4 M)^2}, \qquad
    P = CE_\text{prior} - CE_\text{pool}, \quad M = CE_\text{pool} - CE_\text{pool and memory},
    $$

    measured on validation after each epoch, M at least 0. Where the memory gains nothing, $\rho = 1$, and encoders and
    head learn exactly what alternating training teaches them; where it gains a tenth of what the pool does, $\rho$ is
    still .86; where it gains as much, $\rho = .06$: the modalities' own losses would have the encoders learn their
    rows by heart. An interaction that no encoding shows yet can gain nothing yet: in the first part of training
    (*explore*) what $\rho$ has above .5 is taken from it, linearly less with each epoch. One modality alone gets no
    correction: its decision is that of its own expert.

    After each epoch the pool's weights and the memory's strength are fitted on validation, see
    `equimodal.models.calibration.fit_pool`, and the order of the next epoch is measured there. An epoch's mean final
    state starts the next epoch's batches.

    Source: the schedule, the mapping and the memory of Shi et al., arXiv 2506.00030 (as published: `paper`). The
    residual loss, the correction of a pool in place of refined encodings, and the fitted pool are ours.
    """

    Config = EquilibriumConfig
    fusions = ("memory",)
    unimodal_share: Tensor
    hosted = ("unimodal_share",)

    @classmethod
    def fusion_options(cls, config: EquilibriumConfig) -> dict[str, Any]:
        """Return the memory fusion's options."""
        return {**super().fusion_options(config), "pool": config.pool}

    def __init__(self, model: Any, config: EquilibriumConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.register_buffer("unimodal_share", torch.tensor(EXPLORED if config.balance and config.explore > 0 else 1.0))

    @property
    def fusion(self) -> MemoryFusion:
        """The model's fusion."""
        return cast(MemoryFusion, self.model.fusion)

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield the memory's update; then one for each modality visited, weak to strong."""
        coalition = self._coalition()  # before dropout draws as many numbers as the batch has rows
        encodings = self._encode(batch)
        leaves = self._leaves(encodings)
        if self.fusion.remembers:
            seen = batch.restrict(coalition)
            yield Update({"residual": self._residual(leaves, seen)}, coalition)
        for name in self.order:
            if name in self.visiting:
                encoding = self.model.encode_one(batch, name) if name in self.sharing else encodings[name]
                yield Update({name: self._own_loss(name, encoding, batch, leaves[name].grad)}, (name,))

    def _own_loss(self, name: str, encoding: Tensor, batch: Batch, residual: Tensor | None) -> Loss:
        """Return the modality's own loss, whose gradient in the encoder is mixed with that of the residual."""
        head, share = self.fusion.head(name), float(self.unimodal_share)
        if residual is None or (self.config.balance and share == 1) or not batch.present[name].any():
            return cross_entropy(head(encoding), batch.labels, batch.present[name])
        if not self.config.balance:
            total, count = cross_entropy(head(encoding), batch.labels, batch.present[name])
            return total + count * _injected(encoding, residual), count
        leaf = encoding.detach().requires_grad_()
        total, count = cross_entropy(head(leaf), batch.labels, batch.present[name])
        (own,) = torch.autograd.grad(total / count, leaf, retain_graph=True)
        return total + count * _injected(encoding, mixed(own, residual, share)), count

    def calibrate(self, validation: Sequence[Encoded], training: Sequence[Encoded] = ()) -> None:
        """Fit the pool and the memory's strength; measure what the modalities and the memory each gain."""
        super().calibrate(validation, training)
        if self.config.balance and self.config.memory.encoders and self.fusion.remembers:
            end = self.config.explore * self.epochs
            exploring = max(0.0, 1 - (self.epoch + 1) / end) if end else 0.0
            measured = self._share_of_unimodal(joined(validation))
            self.unimodal_share.fill_(measured - exploring * max(0.0, measured - EXPLORED))

    @torch.no_grad()
    def _share_of_unimodal(self, known: Encoded) -> float:
        """Return what weighs an encoder's own loss, of the gains of pool and memory; 1 if neither gains anything."""

        def loss(logits: Tensor) -> float:
            total, count = cross_entropy(logits, known.labels)
            return float(total / count.clamp(min=1))

        whole = loss(self.model.fuse(known.encodings, known.present))
        with self.fusion.forgetting():
            pooled = loss(self.model.fuse(known.encodings, known.present))
        prior = loss(self.model.log_prior.expand(len(known.labels), -1))
        gained, added = max(prior - pooled, 0.0) ** 2, (URGENCY * max(pooled - whole, 0.0)) ** 2
        return gained / (gained + added) if gained + added > 0 else 1.0

    def _encode(self, batch: Batch) -> dict[str, Tensor]:
        """Return all encodings; without gradient those of modalities that are not visited or will be encoded again."""
        encodings = {}
        for name in self.order:
            with torch.set_grad_enabled(name in self.visiting and name not in self.sharing):
                encodings[name] = self.model.encode_one(batch, name)
        return encodings

    def _leaves(self, encodings: Encodings) -> dict[str, Tensor]:
        """Return the encodings as the memory reads them: where their gradient is wanted, it stays there."""
        leaves = {name: encoding.detach() for name, encoding in encodings.items()}
        if self.config.memory.encoders:
            for name in self.visiting:
                leaves[name].requires_grad_()
        return leaves

    def _coalition(self) -> tuple[str, ...]:
        names = self.model.modalities
        if float(torch.rand(())) < self.config.memory.coalitions:
            return random_coalition(names)
        return names

    def _residual(self, encodings: Encodings, seen: Batch) -> Loss:
        """Return the loss of the corrected pool on the modalities that the batch shows, where there are two or more."""
        fusion = self.fusion
        correction, state = fusion.added(encodings, seen.present)
        present = fusion.stacked(seen.present)
        self.count_state(state, seen.anything)
        with torch.no_grad():
            pooled = fusion.pool(fusion.decisions(encodings, seen.present), present)
        return cross_entropy(pooled + correction, seen.labels, present.sum(0) > 1)


def mixed(own: Tensor, residual: Tensor, share: float) -> Tensor:
    """Return `share` of one gradient and the rest of another, scaled to its norm; all of the first if the other is 0.

    Example:
        >>> mixed(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.1]), share=0.6)
        tensor([1.8000, 4.4000])
    """
    length = residual.norm()
    both = share * own + (1 - share) * own.norm() * (residual / length)
    return torch.where(length > 0, both, own)


def _injected(encoding: Tensor, gradient: Tensor) -> Tensor:
    """Return a zero whose gradient with respect to the encoding is the one given."""
    return ((encoding - encoding.detach()) * gradient).sum()


def random_coalition(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return a coalition drawn uniformly from those of two or more modalities.

    Example:
        >>> random_coalition(("a", "b"))
        ('a', 'b')
    """
    while True:
        chosen = torch.rand(len(modalities)) < 0.5
        if len(modalities) < 2 or chosen.sum() > 1:
            return tuple(name for name, inside in zip(modalities, chosen.tolist(), strict=True) if inside) or modalities
