"""What a training method is: a module that yields updates, and the few things it may say about the run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.errors import ConfigError
from equimodal.registry import Registry

if TYPE_CHECKING:
    from equimodal.contribution.result import Contribution
    from equimodal.models.classifier import Classifier

METHODS: Registry[type[Method]] = Registry("method", "equimodal.methods")

Loss = tuple[Tensor, Tensor]
"""A loss as (sum over samples, number of samples): means are taken after the counts of all ranks are known."""


@dataclass(frozen=True)
class Update:
    """One backward pass and one optimiser step.

    Args:
        losses: the terms to add up, each a mean: its sum over the samples it counts.
        modalities: whose own parameters move, beside the shared ones; all others do not move by a bit.
    """

    losses: Mapping[str, Loss]
    modalities: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of an update: each term's mean, and whether a step was taken (not when no sample counted)."""

    losses: dict[str, float]
    stepped: bool


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with its own selection; a phase ends with its best epoch's weights.

    Args:
        name: shown in the history.
        epochs: how many.
        select: the coalition whose validation score chooses the best epoch; None: all modalities.
    """

    name: str
    epochs: int
    select: tuple[str, ...] | None = None


@dataclass(frozen=True)
class EpochResult:
    """What the validation probe found after an epoch."""

    epoch: int
    contribution: Contribution


class MethodConfig(BaseModel):
    """Base of the methods' typed options; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Method(nn.Module):
    """Base of training methods. The loop owns everything but what is here.

    A method's parameters (auxiliary heads) are trained with the model's, and its buffers are its state; both are
    checkpointed. It must not keep state elsewhere. Randomness comes from torch's global generator, which the
    loop seeds for every batch from (seed, epoch, batch).

    Args:
        model: the classifier to train; its fusion is there already.
        config: the method's options, an instance of ``Config``.
        seed: seed of the run, for choices that are not made in a batch (a random order).

    Example:
        A method of one's own is one class::

            @METHODS.register("late_only")
            class LateOnly(Method):
                '''Only the fused loss, with late fusion.'''

                fusions = ("late",)

                def updates(self, batch):
                    logits = self.model(batch)
                    yield Update({"fused": cross_entropy(logits, batch.labels)}, batch.modalities)
    """

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    fusions: ClassVar[tuple[str, ...]] = ()
    """Fusions that the method can train; the first is its default."""

    model: Classifier

    def __init__(self, model: Classifier, config: MethodConfig, seed: int = 0) -> None:
        super().__init__()
        object.__setattr__(self, "model", model)  # not as a submodule: the model is saved by itself
        self.config = config
        self.seed = seed
        self.visiting: tuple[str, ...] = model.modalities

    @classmethod
    def fusion_options(cls, config: Any) -> dict[str, Any]:
        """Return the options of the fusion that the method makes when the model has none."""
        return {}

    def next_phase(self, finished: int, epochs: int) -> Phase | None:
        """Return the phase after ``finished`` ones, or None at the end; by default there is one."""
        return Phase("train", epochs) if finished == 0 else None

    def passes(self) -> Sequence[tuple[str, ...]]:
        """Return, for each pass over the data in this epoch, the modalities that it visits; by default one pass."""
        return [self.model.modalities]

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield the updates of one batch; after each ``yield`` the step has been taken.

        Number, order and modalities of the updates must not depend on the content of the batch.
        """
        raise NotImplementedError

    def on_epoch_trained(self) -> None:
        """Finish the epoch's training, before it is validated."""

    def on_epoch_end(self, result: EpochResult) -> None:
        """Take note of the validation of the epoch."""

    def own_parameters(self, modality: str) -> list[nn.Parameter]:
        """Return those of the method's parameters that belong to one modality; all others are shared."""
        return []

    @property
    def order(self) -> tuple[str, ...] | None:
        """The order in which this epoch visits the modalities, if the method has one."""
        return None


def cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor | None = None) -> Loss:
    """Return the cross entropy of ``logits`` (B, C) as (sum, count), over the rows in ``mask`` (B,).

    Example:
        >>> total, count = cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 1]), torch.tensor([True, True, False]))
        >>> round(float(total), 4), int(count)
        (1.3863, 2)
    """
    each = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    if mask is None:
        return each.sum(), torch.tensor(len(labels), device=each.device)
    return torch.where(mask, each, 0.0).sum(), mask.sum()


def prepare_fusion(model: Classifier, method: type[Method], config: MethodConfig) -> None:
    """Give the model the method's fusion if it has none.

    Raises:
        ConfigError: the model's fusion is one that the method cannot train.
    """
    if not model.has_fusion:
        model.set_fusion(method.fusions[0], **method.fusion_options(config))
    elif model.fusion_name not in method.fusions:
        raise ConfigError(
            f"model.fusion: {method.__name__} trains the fusions {', '.join(method.fusions)}, but the model has "
            f"'{model.fusion_name}'. Leave the fusion out, or choose one of those."
        )
