"""The method of the paper: weak-to-strong alternating training with a memory in the steps."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Loss, Outcome, Update, cross_entropy
from equimodal.methods.scheduled import MappingConfig, MemoryConfig, Scheduled, ScheduledConfig
from equimodal.models.fusions.chain import Chain
from equimodal.models.fusions.refined import RefinedFusion
from equimodal.models.mapping import alignment_loss


class AlignedMappingConfig(MappingConfig):
    """Options of the paper's mapping.

    Args:
        feature: map encodings into a shared space.
        sample: align the rows of a training batch by their correlations.
        tau: correlations below it are dropped.
        alignment: weight of a supervised contrastive term between neighbours in the order (ours).
    """

    sample: bool = True
    alignment: float = Field(default=0.0, ge=0)


class PaperConfig(ScheduledConfig[AlignedMappingConfig, MemoryConfig]):
    """Options of the paper's method: those of its schedule, and its mapping and memory.

    Args:
        order: strategy of the schedule, or a list: always that order.
        initial: order of the first epoch; by default as declared.
        hysteresis: neighbours swap only when their shares differ by more than so many standard errors (ours).
        smoothing: weight of the past in an exponential average of the shares (ours).
        freeze: share of the epochs, at the end of training, in which the order stays as it is (ours).
        alternation: visit all modalities for each batch, or one a pass over the data.
        mapping: see `AlignedMappingConfig`.
        memory: see `MemoryConfig`.
    """

    mapping: AlignedMappingConfig = AlignedMappingConfig()
    memory: MemoryConfig = MemoryConfig()


@METHODS.register("paper")
class Paper(Scheduled[PaperConfig]):
    r"""The method as it was published, as far as it was: the memory takes part in each modality's step.

    For each batch and each modality m, in ascending order of its share of the Shapley contribution:

    $$
    L_m = CE(\mathrm{head}(z_m), y) + CE(\mathrm{head}(z_m + U h_m), y).
    $$

    Encoder m, its map, the memory and the head take a step; the state is detached and passed on. Inference averages the
    logits of the steps. An epoch's mean final state starts the next epoch's batches.

    Source: Shi et al., arXiv 2506.00030. Ours, where the paper leaves it open: dropout of the state, U that starts at
    zero, the weight of the mapping's diagonal, the shared head, hysteresis.
    """

    Config = PaperConfig
    fusions = ("refined",)

    @property
    def fusion(self) -> RefinedFusion:
        """The model's fusion."""
        return cast(RefinedFusion, self.model.fusion)

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update for each modality visited, weak to strong."""
        chain = self.fusion.start(len(batch)) if self.fusion.remembers else None
        reach = max((self.order.index(name) + 1 for name in self.visiting), default=0)
        for name in self.order[:reach]:
            with torch.set_grad_enabled(name in self.visiting):
                encoding = self.model.encode_one(batch, name)
                chain, losses = self._step(batch, name, encoding, chain)
            if name in self.visiting:  # with alternation by epoch, weaker modalities are read again, untrained
                yield Update(losses, (name,))
        if chain is not None and reach == len(self.order):
            self.count_state(chain.state, batch.anything)

    def _step(
        self, batch: Batch, name: str, encoding: Tensor, chain: Chain | None
    ) -> tuple[Chain | None, dict[str, Loss]]:
        present = batch.present[name]
        losses: dict[str, Loss] = {name: cross_entropy(self.fusion.head(name)(encoding), batch.labels, present)}
        if chain is None:
            return None, losses
        logits, after = self.fusion.step(name, encoding, present, chain)
        losses[f"{name}+memory"] = cross_entropy(logits, batch.labels, present)
        if self.config.mapping.alignment > 0 and chain.previous is not None and chain.seen is not None:
            mapped = self.fusion.mapping.map(name, encoding)
            total, count = alignment_loss(chain.previous, mapped, batch.labels, present & chain.seen)
            losses[f"{name}+alignment"] = (self.config.mapping.alignment * total, count)
        return after.detach(), losses
