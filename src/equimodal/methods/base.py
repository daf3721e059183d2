"""What a training method is: a module that yields updates, and the few things it may say about the run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.config.section import Section
from equimodal.errors import ConfigError
from equimodal.known import known
from equimodal.models.calibration import fit_pool
from equimodal.models.encoded import Encoded, joined
from equimodal.modes import ModesByModule
from equimodal.registry import Registry

if TYPE_CHECKING:
    from equimodal.contribution.result import Contribution
    from equimodal.data.dataset import Dataset
    from equimodal.models.classifier import Classifier

METHODS: Registry[type[Method]] = Registry("method", "equimodal.methods")

Loss = tuple[Tensor, Tensor]
"""A loss as (sum over samples, number of samples): means are taken after the counts of all ranks are known."""

Gradients = Mapping[nn.Parameter, Tensor]
"""Gradients by parameter; a parameter that is missing has none, and does not move."""

Combine = Callable[[Mapping[str, Gradients]], Gradients]
"""From the gradients of each loss to those that the step takes."""


@dataclass(frozen=True)
class Update:
    """One backward pass and one optimiser step.

    Args:
        losses: the terms to add up, each a mean: its sum over the samples it counts.
        modalities: those whose own parameters move, beside the shared ones. All others stay bit for bit as they are.
        combine: makes the step's gradients from those of each loss (of the parameters that move), before
            clipping; None adds them up. Losses that no sample counts in are not among them. It costs one
            backward pass per loss.
    """

    losses: Mapping[str, Loss]
    modalities: tuple[str, ...]
    combine: Combine | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of an update.

    Args:
        losses: each term's mean, a tensor () without gradient, where the model is. To read one (`float(loss)`) is to
            wait for the device: keep sums of them in buffers instead.
        stepped: whether a step was taken (not when no sample counted).
        moved: the modalities whose encoders took it.
    """

    losses: dict[str, Tensor]
    stepped: bool
    moved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with an optimiser of its own.

    Args:
        name: shown in the history.
        epochs: how many.
        select: the coalition whose validation score chooses the best epoch; None: all modalities.
        ends: "best", with the best epoch's weights; or "last", as they are: the next phase then
            continues the same choice of the best epoch.
        trial: restore the weights at the end: the method keeps what it learnt in `on_phase_end`. Its epochs are never
            the run's best.
        span: the part of the learning-rate schedule that the phase goes through.
    """

    name: str
    epochs: int
    select: tuple[str, ...] | None = None
    ends: Literal["best", "last"] = "best"
    trial: bool = False
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class EpochResult:
    """What the validation probe found after an epoch."""

    epoch: int
    contribution: Contribution


LOGIT_FUSIONS = ("concat", "sum", "gated", "late", "quality", "evidential", "mlp", "bilinear", "film", "memory")
"""Fusions for methods that only need the logits of any coalition; the first is the default."""


class MethodConfig(Section):
    """Base of the methods' typed options; unknown keys are refused."""


class Method(ModesByModule):
    """Base of training methods. The loop owns everything but what is here.

    A method's parameters (auxiliary heads) are trained with the model's, and its buffers are its state; both are
    checkpointed. A method must not keep state elsewhere. Randomness comes from torch's global generator, which the
    loop seeds for every batch from (seed, epoch, batch).

    Args:
        model: the classifier to train; its fusion is there already.
        config: the method's options, an instance of `Config`.
        seed: seed of the run, for choices that are not made in a batch (a random order).

    Example:
        A new method is one class:

        >>> class LateOnly(Method):
        ...     '''Only the fused loss, with late fusion (ours).'''
        ...
        ...     fusions = ("late",)
        ...
        ...     def updates(self, batch):
        ...         loss = cross_entropy(self.model(batch), batch.labels, batch.anything)
        ...         yield Update({"fused": loss}, self.model.modalities)

        Decorated with `@METHODS.register("late_only")` it has a name; `equimodal.fit(model, data, LateOnly)` trains by
        the class itself.
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
        self.epoch, self.epochs = 0, 1  # finished epochs of the phase, and all of them; the loop sets both

    @classmethod
    def fusion_options(cls, config: Any) -> dict[str, Any]:
        """Return the options of the fusion that the method makes when the model has none."""
        return {}

    def begin(self, train: Dataset) -> None:
        """Look at the training part before anything else, for instance to register buffers of its size."""

    def next_phase(self, finished: int, epochs: int) -> Phase | None:
        """Return the phase after `finished` ones, or None at the end; by default there is one.

        It is asked again when a run is resumed, and must answer from its arguments and the buffers alone.
        """
        return Phase("train", epochs) if finished == 0 else None

    def on_epoch_start(self, train: Dataset) -> None:
        """Look at the training part before an epoch, for instance to value its samples; not called on resume."""

    def training_data(self, train: Dataset) -> Dataset:
        """Return the rows of this epoch, by default the training part.

        It is asked again on resume, and must answer from its argument, the buffers and torch's generator (which
        the loop seeds) alone.
        """
        return train

    def passes(self) -> Sequence[tuple[str, ...]]:
        """Return, for each pass over the data in this epoch, the modalities that it visits; by default one pass."""
        return [self.model.modalities]

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield the updates of one batch; after each `yield` the step has been taken.

        Number, order and modalities of the updates must not depend on the content of the batch.
        """
        raise NotImplementedError

    def on_epoch_trained(self) -> None:
        """Finish the epoch's training, before it is validated."""

    def calibrate(self, validation: Sequence[Encoded], training: Sequence[Encoded] = ()) -> None:
        """Fit a few numbers of the model on encodings, before the epoch is measured.

        By default those of a fitted pool, on validation, and of what imputes absent encodings, on training rows, where
        the model's fusion has one. What is fitted must live in buffers of the model. The model is in evaluation mode,
        and nothing has a gradient.

        Args:
            validation: of the validation probe.
            training: of the same training rows in each epoch; nothing where the fusion does not ask for them
                (`Fusion.fits_on_training`).
        """
        if training:
            rows = joined(training)
            self.model.fusion.fit(rows.encodings, rows.present)
        fit_pool(self.model, validation)

    def on_epoch_end(self, result: EpochResult) -> None:
        """Use what was measured on validation after the epoch."""

    def on_phase_end(self, phase: Phase, train: Dataset) -> None:
        """Use what a phase has reached, while the model still has its weights (a trial's are restored after this)."""

    def own_parameters(self, modality: str) -> list[nn.Parameter]:
        """Return those of the method's parameters that belong to one modality; all others are shared."""
        return []

    @property
    def order(self) -> tuple[str, ...] | None:
        """The order in which this epoch visits the modalities, if the method has one."""
        return None


def cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor | None = None) -> Loss:
    """Return the cross entropy of `logits` (B, C) as (sum, count), over the rows in `mask` (B,).

    Example:
        >>> total, count = cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, 1]), torch.tensor([True, True, False]))
        >>> round(float(total), 4), int(count)
        (1.3863, 2)
    """
    each = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    if mask is None:
        return each.sum(), known(torch.tensor(len(labels)), each.device)
    return torch.where(mask, each, 0.0).sum(), mask.sum()


def prepare_fusion(
    model: Classifier,
    method: type[Method],
    config: MethodConfig,
    named: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Give the model the method's fusion if it has none.

    Options that the model was given without the name of a fusion go to it, before those that the method gives.

    Args:
        model: the classifier.
        method: the method's class.
        config: the method's options.
        named: the fusion that the run's configuration names for the method; None: the first that the method trains.
        options: arguments of that fusion, before all others.

    Raises:
        ConfigError: the model's fusion is one that the method cannot train, or another than the one named, or was made
            with other options than those asked for; or an option is not the fusion's.
    """
    options = options or {}
    if not model.has_fusion:
        name = named or method.fusions[0]
        brought = method.fusion_options(config) if name == method.fusions[0] else {}
        model.set_fusion(name, **{**brought, **model.fusion_options, **options})
        return
    if named not in (None, model.fusion_name):
        raise ConfigError(
            f"method.fusion: the method names '{named}', but the model has '{model.fusion_name}', named or brought by "
            "the method of an earlier fit. Make a new model, Classifier.for_data(data), or leave out the fusion."
        )
    has = model.fusion_options
    problems = [
        f"method.fusion_options: {option} is {wanted!r}, but the model's fusion '{model.fusion_name}' was made with "
        f"{has.get(option, 'no such option')!r}. Make a new model, Classifier.for_data(data), or leave the option out."
        for option, wanted in options.items()
        if option not in has or has[option] != wanted
    ]
    if problems:
        raise ConfigError(problems)
    if model.fusion_name not in method.fusions:
        raise ConfigError(
            f"model.fusion: {method.__name__} trains the fusions {', '.join(method.fusions)}, but the model has "
            f"'{model.fusion_name}', named or brought by the method of an earlier fit. Leave the fusion out or choose "
            "one of those; for another method make a new model, Classifier.for_data(data)."
        )
    if model.fusion_name == method.fusions[0]:
        usual = method.fusion_options(method.Config())
        problems = [
            f"model.fusion: the method's options ask for '{model.fusion_name}' with {option}={wanted!r}, but the "
            f"model's, named or brought by an earlier fit, was made with {has[option]!r}. Make the model without "
            "naming a fusion, Classifier.for_data(data), or leave the method's option out."
            for option, wanted in method.fusion_options(config).items()
            if wanted not in (usual[option], has[option])
        ]
        if problems:
            raise ConfigError(problems)
