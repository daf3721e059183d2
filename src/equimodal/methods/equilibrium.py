"""The method of the paper: Shapley-guided, weak-to-strong alternating training with a cross-modal memory."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import nullcontext
from typing import Any, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import (
    METHODS,
    EpochResult,
    Loss,
    Method,
    MethodConfig,
    Outcome,
    Update,
    cross_entropy,
)
from equimodal.methods.gradients import encoder_owners
from equimodal.methods.schedule import make_schedule
from equimodal.models.encoded import Encoded
from equimodal.models.fusions.base import Encodings
from equimodal.models.fusions.memory import Chain, MemoryFusion
from equimodal.models.mapping import alignment_loss
from equimodal.models.memory import State

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Strengths of the memory that are tried on validation."""


class MappingConfig(MethodConfig):
    """Options of the cross-modal mapping.

    Args:
        feature: map encodings into a shared space.
        sample: align the rows of a training batch by their correlations.
        tau: correlations below it are dropped.
        alignment: weight of a supervised contrastive term between neighbours in the order (with memory in steps).
    """

    feature: bool = True
    sample: bool = False
    tau: float = Field(default=0.5, gt=0, le=1)
    alignment: float = Field(default=0.0, ge=0)


class MemoryConfig(MethodConfig):
    """Options of the cross-modal memory.

    Args:
        enabled: refine decisions by memory.
        in_steps: train the memory in each alternating step too, as in the paper.
        dropout: dropout of the state on its way into the refinement.
        inherit: "epoch", start from the mean final state of the epoch before, or "none".
        strength: of the refinement outside training: "fitted" on validation after each epoch, one of 0, 1/4, 1/2, 3/4
            and 1, or "full" (ours).
    """

    enabled: bool = True
    in_steps: bool = False
    dropout: float = Field(default=0.5, ge=0, lt=1)
    inherit: Literal["epoch", "none"] = "epoch"
    strength: Literal["fitted", "full"] = "fitted"


class FusionStepConfig(MethodConfig):
    """Options of the fusion step (ours), on the loss of the fused logits.

    Args:
        enabled: train on the fused loss too.
        form: "folded", on the encodings that the steps have made, so that each encoder runs once a batch; or
            "separate", with encodings that are computed again.
        trains: what the gradient reaches: "memory", mapping and memory alone, so that encoders and head learn from
            the unimodal losses only; "head", the head too; "all", the encoders too.
        random_coalitions: probability that a batch's fused loss sees a random coalition instead of all modalities.
    """

    enabled: bool = True
    form: Literal["folded", "separate"] = "folded"
    trains: Literal["memory", "head", "all"] = "memory"
    random_coalitions: float = Field(default=0.5, ge=0, le=1)


class EquilibriumConfig(MethodConfig):
    """Options of the method.

    Args:
        order: strategy of the schedule, or a list: always that order.
        initial: order of the first epoch; by default as declared.
        hysteresis: neighbours swap only when their shares differ by more than so many standard errors.
        smoothing: weight of the past in an exponential average of the shares.
        alternation: visit all modalities for each batch, or one a pass over the data.
        unimodal_weight: weight of CE(head(z_m)) in the steps.
        weights: how the steps' logits are averaged: "equal", or "entropy", by how sure each is of itself.
        mapping: see `MappingConfig`.
        memory: see `MemoryConfig`.
        fusion_step: see `FusionStepConfig`.
    """

    order: Literal["weak_to_strong", "strong_to_weak", "random", "fixed"] | list[str] = "weak_to_strong"
    initial: list[str] | None = None
    hysteresis: float = Field(default=1.0, ge=0)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    alternation: Literal["batch", "epoch"] = "batch"
    unimodal_weight: float = Field(default=1.0, ge=0)
    weights: Literal["equal", "entropy"] = "equal"
    mapping: MappingConfig = MappingConfig()
    memory: MemoryConfig = MemoryConfig()
    fusion_step: FusionStepConfig = FusionStepConfig()

    @model_validator(mode="after")
    def _trainable(self) -> EquilibriumConfig:
        if self.memory.enabled and not (self.memory.in_steps or self.fusion_step.enabled):
            raise ValueError(
                "nothing would train the memory: set memory.in_steps or fusion_step.enabled to true, "
                "or memory.enabled to false"
            )
        if self.mapping.alignment > 0 and not (self.memory.enabled and self.memory.in_steps):
            raise ValueError("mapping.alignment needs memory.in_steps: true (the term belongs to the steps)")
        if self.unimodal_weight == 0 and not (self.memory.enabled and self.memory.in_steps):
            if not self.fusion_step.enabled:
                raise ValueError(
                    "nothing would be trained: unimodal_weight is 0, without memory.in_steps or fusion_step"
                )
            if self.fusion_step.trains != "all":
                raise ValueError(
                    f"nothing would train the encoders: unimodal_weight is 0 and fusion_step.trains "
                    f"'{self.fusion_step.trains}', without memory.in_steps"
                )
        return self


@METHODS.register("equilibrium")
class Equilibrium(Method):
    r"""Train modalities from weak to strong, pass a memory along, and measure again after each epoch.

    For each batch and each modality m, in ascending order of its share of the Shapley contribution:

    $$
    L_m = w\,CE(\mathrm{head}(z_m), y) \; [+\; CE(\mathrm{head}(z_m + U h_m), y)],
    $$

    the bracket with `memory.in_steps`; encoder m, its map, the memory and the head take a step; the state is
    detached and passed on. The *fusion step* (ours) is on the mean of the steps' logits through the whole chain,
    with probability `random_coalitions` on a random coalition, so that the memory has seen the subsets that
    inference and the Shapley probe need. It trains the memory on encodings that count as constants; with
    `trains="all"` its gradient reaches head and encoders. Folded, it uses the encodings that the steps were
    made from, so that each encoder runs once a batch: a step of its own after the others, or with `trains="all"` a
    part of each modality's, on the rows that have it. Separate, it is one more step, and all encoders run again. An
    epoch's mean final state starts the next epoch's batches. What the memory adds is scaled, outside training, by a
    strength that is chosen after each epoch by the fused loss on validation (ours).

    Two recipes: `equilibrium` (the default: memory trained by the fusion step) and `paper` (memory in the
    steps, no fusion step).

    Source: Shi et al., arXiv 2506.00030. What is ours is marked so.
    """

    Config = EquilibriumConfig
    fusions = ("memory",)
    config: EquilibriumConfig
    _state_sum: Tensor
    _state_count: Tensor

    def __init__(self, model: Any, config: EquilibriumConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        fixed = isinstance(config.order, list)
        self.schedule = make_schedule(
            "fixed" if fixed else str(config.order),
            model.modalities,
            initial=config.order if fixed else config.initial,  # pyright: ignore[reportArgumentType]
            hysteresis=config.hysteresis,
            smoothing=config.smoothing,
            seed=seed,
        )
        shared = [owners for owners in encoder_owners(model).values() if len(owners) > 1]
        self._sharing = {name for owners in shared for name in owners}
        self.register_buffer("_state_sum", torch.zeros(2, model.width, dtype=torch.float64))
        self.register_buffer("_state_count", torch.zeros((), dtype=torch.float64))

    @classmethod
    def fusion_options(cls, config: EquilibriumConfig) -> dict[str, Any]:
        """Return the memory fusion's options."""
        return {
            "feature_level": config.mapping.feature,
            "sample_level": config.mapping.sample,
            "tau": config.mapping.tau,
            "memory": config.memory.enabled,
            "dropout": config.memory.dropout,
            "weights": config.weights,
        }

    @property
    def fusion(self) -> MemoryFusion:
        """The model's fusion."""
        return cast(MemoryFusion, self.model.fusion)

    @property
    def order(self) -> tuple[str, ...]:
        """The order of this epoch, weak to strong."""
        return self.fusion.order

    def passes(self) -> list[tuple[str, ...]]:
        """Set the epoch's order; return one pass, or with alternation by epoch one for each modality."""
        self.fusion.order = self.schedule.order
        if self.config.alternation == "batch":
            return [self.order]
        passes = [(name,) for name in self.order]
        return [*passes, ()] if self._fuses("separate") else passes

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update for each modality visited, weak to strong; then the fusion step, if it is one of its own."""
        coalition = self._fusion_coalition()  # before dropout draws as many numbers as the batch has rows
        seen = batch.restrict(coalition)
        inside = self._fuses("folded") and self._trains("all")  # the fused loss is a part of each step
        encodings = self._encode_all(batch) if inside else {}
        chain = self.fusion.start(len(batch)) if self._memory_in_steps else None
        reach = max((self.order.index(name) + 1 for name in self.visiting), default=0)
        for name in self.order[:reach]:
            if name in self.visiting:
                if name not in encodings or name in self._sharing:
                    encodings[name] = self.model.encode_one(batch, name)
                chain, losses = self._step(batch, name, encodings[name], chain)
                if inside and name in coalition:
                    rows = batch.present[name]  # without the modality there is nothing for its step to learn from
                    losses["fused"] = self._fused_loss(seen, self._seen_by(name, encodings), rows)
                yield Update(losses, (name,))
            elif chain is not None:  # alternation by epoch: weaker modalities are read again, untrained
                with torch.no_grad():
                    if name not in encodings:
                        encodings[name] = self.model.encode_one(batch, name)
                    _, chain = self.fusion.step(name, encodings[name], batch.present[name], chain)
        if chain is not None and reach == len(self.order):
            self._count_state(chain.state, batch.anything)
        if self._has_fusion_step():
            known = {} if self._fuses("separate") else _detached(encodings)
            with torch.set_grad_enabled(self._trains("all")):
                fresh = {name: self.model.encode_one(seen, name) for name in self.model.modalities if name not in known}
            yield Update({"fused": self._fused_loss(seen, {**known, **fresh}, seen.anything)}, coalition)

    def _has_fusion_step(self) -> bool:
        """Return whether the fused loss has a step of its own in this pass."""
        if self._fuses("separate"):
            return self.config.alternation == "batch" or not self.visiting
        return self._fuses("folded") and not self._trains("all")

    def _fuses(self, form: str) -> bool:
        step = self.config.fusion_step
        learns = self.fusion.remembers or step.trains != "memory"  # without memory nothing is left for it to train
        return step.enabled and step.form == form and learns

    def _trains(self, what: str) -> bool:
        return self.config.fusion_step.trains in (what, "all")

    def _encode_all(self, batch: Batch) -> dict[str, Tensor]:
        """Return all encodings; those of modalities not visited without gradient.

        One modality's step leaves the encoders of the others as they are, so that each runs once a batch; but for
        encoders that several modalities share, which run again.
        """
        encodings = {}
        for name in self.order:
            with torch.set_grad_enabled(name in self.visiting and name not in self._sharing):
                encodings[name] = self.model.encode_one(batch, name)
        return encodings

    def _seen_by(self, name: str, encodings: Encodings) -> Encodings:
        """Return the encodings as the step of one modality sees them: no gradient reaches the others' encoders."""
        return {**_detached(encodings), name: encodings[name]}

    @property
    def _memory_in_steps(self) -> bool:
        return self.config.memory.enabled and self.config.memory.in_steps

    def _step(
        self, batch: Batch, name: str, encoding: Tensor, chain: Chain | None
    ) -> tuple[Chain | None, dict[str, Loss]]:
        present = batch.present[name]
        losses: dict[str, Loss] = {}
        if self.config.unimodal_weight > 0:
            total, count = cross_entropy(self.fusion.head(name)(encoding), batch.labels, present)
            losses[name] = (self.config.unimodal_weight * total, count)
        if chain is None:
            return None, losses
        logits, after = self.fusion.step(name, encoding, present, chain)
        losses[f"{name}+memory"] = cross_entropy(logits, batch.labels, present)
        if self.config.mapping.alignment > 0 and chain.previous is not None and chain.seen is not None:
            mapped = self.fusion.mapping.map(name, encoding)
            total, count = alignment_loss(chain.previous, mapped, batch.labels, present & chain.seen)
            losses[f"{name}+alignment"] = (self.config.mapping.alignment * total, count)
        return after.detach(), losses

    def _fusion_coalition(self) -> tuple[str, ...]:
        if float(torch.rand(())) < self.config.fusion_step.random_coalitions:
            return random_coalition(self.model.modalities)
        return self.model.modalities

    def _fused_loss(self, seen: Batch, encodings: Encodings, rows: Tensor) -> Loss:
        """Return the loss of the whole chain on the modalities that the batch shows, over some of its rows."""
        with nullcontext() if self._trains("head") else self.fusion.fixed_heads():
            logits, state = self.fusion.run(encodings, seen.present)
        if state is not None and not self._memory_in_steps:
            self._count_state(state, rows)
        return cross_entropy(logits, seen.labels, rows)

    @torch.no_grad()
    def _count_state(self, state: State, rows: Tensor) -> None:
        for i in range(2):
            self._state_sum[i] += state[i][rows].double().sum(0)
        self._state_count += rows.sum()

    def on_epoch_trained(self) -> None:
        """Let the next epoch, and inference, start from this epoch's mean final state."""
        if self.config.memory.enabled and self.config.memory.inherit == "epoch" and self._state_count > 0:
            h, c = (self._state_sum / self._state_count).to(self.fusion.memory.inherited_h.dtype)
            self.fusion.memory.inherit(h, c)
        self._state_sum.zero_()
        self._state_count.zero_()

    def calibrate(self, validation: Sequence[Encoded]) -> None:
        """Fit the memory's strength: the fused loss on validation decides, the weaker of equals."""
        if not (self.fusion.remembers and self.config.memory.strength == "fitted"):
            return
        strength = self.fusion.memory.strength
        losses = []
        for value in STRENGTHS:
            strength.fill_(value)
            each = [cross_entropy(self.model.fuse(part.encodings, part.present), part.labels)[0] for part in validation]
            losses.append(float(torch.stack(each).double().sum()))
        strength.fill_(STRENGTHS[losses.index(min(losses))])

    def on_epoch_end(self, result: EpochResult) -> None:
        """Choose the next epoch's order."""
        self.schedule.update(result.contribution)


def _detached(encodings: Encodings) -> dict[str, Tensor]:
    return {name: encoding.detach() for name, encoding in encodings.items()}


def random_coalition(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return a coalition drawn uniformly from all but the empty one.

    Example:
        >>> len(random_coalition(("a", "b"))) in (1, 2)
        True
    """
    number = int(torch.randint(1, 2 ** len(modalities), ()))
    return tuple(name for i, name in enumerate(modalities) if number >> i & 1)
