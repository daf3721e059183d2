"""What methods share that visit modalities in a measured order and pass a memory along: schedule and inheritance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import torch
from pydantic import Field
from torch import Tensor

from equimodal.methods.base import EpochResult, Method, MethodConfig
from equimodal.methods.gradients import encoder_owners
from equimodal.methods.schedule import make_schedule
from equimodal.models.fusions.chain import ChainFusion
from equimodal.models.memory import State

if TYPE_CHECKING:
    from equimodal.models.classifier import Classifier


class MappingConfig(MethodConfig):
    """Options of the cross-modal mapping.

    Args:
        feature: map encodings into a shared space.
        sample: align the rows of a training batch by their correlations.
        tau: correlations below it are dropped.
    """

    feature: bool = True
    sample: bool = False
    tau: float = Field(default=0.5, gt=0, le=1)


class MemoryConfig(MethodConfig):
    """Options of the cross-modal memory.

    Args:
        enabled: have a memory.
        dropout: dropout of the state on its way out of the memory.
        inherit: "epoch", start from the mean final state of the epoch before, or "none".
    """

    enabled: bool = True
    dropout: float = Field(default=0.5, ge=0, lt=1)
    inherit: Literal["epoch", "none"] = "epoch"


Mapping = TypeVar("Mapping", bound=MappingConfig)
Memory = TypeVar("Memory", bound=MemoryConfig)


class ScheduledConfig(MethodConfig, Generic[Mapping, Memory]):
    """Options of the schedule.

    Args:
        order: strategy of the schedule, or a list: always that order.
        initial: order of the first epoch; by default as declared.
        hysteresis: neighbours swap only when their shares differ by more than so many standard errors.
        smoothing: weight of the past in an exponential average of the shares.
        freeze: share of the epochs, at the end of training, in which the order stays as it is.
        alternation: visit all modalities for each batch, or one a pass over the data.
        mapping: the method's options of `MappingConfig`.
        memory: the method's options of `MemoryConfig`.
    """

    order: Literal["weak_to_strong", "strong_to_weak", "random", "fixed"] | list[str] = "weak_to_strong"
    initial: list[str] | None = None
    hysteresis: float = Field(default=1.0, ge=0)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    freeze: float = Field(default=0.0, ge=0, le=1)
    alternation: Literal["batch", "epoch"] = "batch"
    mapping: Mapping
    memory: Memory


Config = TypeVar("Config", bound=ScheduledConfig[Any, Any])


class Scheduled(Method, Generic[Config]):
    """Base of methods with a schedule and a memory whose state is inherited from epoch to epoch."""

    config: Config
    _state_sum: Tensor
    _state_count: Tensor

    def __init__(self, model: Classifier, config: Config, seed: int = 0) -> None:
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
        self.sharing = {name for owners in shared for name in owners}
        """Modalities whose encoder serves another one too: a step of that one changes it."""
        self.register_buffer("_state_sum", torch.zeros(2, model.width, dtype=torch.float64))
        self.register_buffer("_state_count", torch.zeros((), dtype=torch.float64))

    @classmethod
    def fusion_options(cls, config: Config) -> dict[str, Any]:
        """Return the chain's options."""
        return {
            "feature_level": config.mapping.feature,
            "sample_level": config.mapping.sample,
            "tau": config.mapping.tau,
            "memory": config.memory.enabled,
            "dropout": config.memory.dropout,
        }

    @property
    def chain(self) -> ChainFusion:
        """The model's fusion."""
        return cast(ChainFusion, self.model.fusion)

    @property
    def order(self) -> tuple[str, ...]:
        """The order of this epoch, weak to strong."""
        return self.chain.order

    def passes(self) -> list[tuple[str, ...]]:
        """Set the epoch's order; return one pass, or with alternation by epoch one for each modality."""
        self.chain.order = self.schedule.order
        return [self.order] if self.config.alternation == "batch" else [(name,) for name in self.order]

    @torch.no_grad()
    def count_state(self, state: State, rows: Tensor) -> None:
        """Count the final state of a batch's `rows` (B,), for the next epoch to start from."""
        for i in range(2):
            self._state_sum[i] += state[i][rows].double().sum(0)
        self._state_count += rows.sum()

    def on_epoch_trained(self) -> None:
        """Let the next epoch, and inference, start from this epoch's mean final state."""
        if self.config.memory.enabled and self.config.memory.inherit == "epoch" and self._state_count > 0:
            h, c = (self._state_sum / self._state_count).to(self.chain.memory.inherited_h.dtype)
            self.chain.memory.inherit(h, c)
        self._state_sum.zero_()
        self._state_count.zero_()

    def on_epoch_end(self, result: EpochResult) -> None:
        """Choose the next epoch's order, unless it is frozen by now."""
        if self.epoch + 1 <= (1 - self.config.freeze) * self.epochs:
            self.schedule.update(result.contribution)
