"""One classifier over any named set of modalities: encoders, a fusion, and the training prior."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.batch import Batch, Input, rows_of
from equimodal.contribution.prior import prior_logits
from equimodal.errors import ConfigError, DataError
from equimodal.features.cache import FeatureCache
from equimodal.known import known
from equimodal.models.building import by_modality, encoders_for, module_problems, registered_name
from equimodal.models.encoders.base import Encoder, call_encoder
from equimodal.models.fusions.base import Encodings, Fusion, Presence, build_fusion
from equimodal.models.imported import Origin
from equimodal.models.initial import for_each
from equimodal.models.preparing import prepared
from equimodal.models.specification import describe_encoder, encoders_of
from equimodal.models.state import frozen_state, named_tensors
from equimodal.models.user_modules import check_trainable
from equimodal.modes import ModesByModule, training_modes, without_batch_statistics
from equimodal.seeds import seeded

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset
    from equimodal.data.splits import Splits


class Classifier(ModesByModule):
    """Encode each modality on the rows that have it, and fuse the encodings into logits.

    A sample without any modality gets the training prior's logits. Predictions do not depend on the other
    samples of a batch. Until a fusion is given, the training method chooses one.

    Args:
        encoders: a module for each modality: `module(x)`, or `module(x, lengths)` where the modality has
            lengths, returning (B, D). Where D is not `width` a linear map follows (see `widths`).
        classes: names of the classes.
        width: size of the encodings that the fusion sees.
        widths: D of each foreign encoder whose D is not `width`.
        prior: class probabilities (C,) of the training labels; uniform when not given.
        fusion: name of a fusion, or None to let the method choose.
        fusion_options: the fusion's arguments; without a name, those of the fusion that the method brings.

    Raises:
        ConfigError: fewer than two encoders, one that is not a torch module, an unknown fusion or option.

    Example:
        >>> model = Classifier({"a": nn.Linear(3, 8), "b": nn.Linear(5, 8)}, ["no", "yes"], width=8, fusion="late")
        >>> here = torch.ones(2, dtype=torch.bool)
        >>> batch = Batch({"a": torch.zeros(2, 3), "b": torch.zeros(2, 5)}, {"a": here, "b": here},
        ...               labels=torch.tensor([0, 1]), ids=torch.arange(2))
        >>> model(batch).shape
        torch.Size([2, 2])
    """

    log_prior: Tensor
    origins: dict[str, Origin]
    """By modality what its encoder was made of, where `for_data` imported its class by name."""

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classes: Sequence[str],
        *,
        width: int = 64,
        widths: Mapping[str, int] | None = None,
        prior: Sequence[float] | Tensor | None = None,
        fusion: str | None = None,
        fusion_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        modules = by_modality(encoders)
        if len(modules) < 2:
            raise ConfigError(
                f"A multimodal classifier needs at least two modalities, got {len(modules)} "
                f"({', '.join(modules) or 'none'})."
            )
        if problems := module_problems(modules):
            raise ConfigError(problems)
        self.classes = tuple(str(name) for name in classes)
        self.width = width
        self.encoders = nn.ModuleDict(modules)
        self.origins = {}
        sizes = {name: size for name, size in (widths or {}).items() if size != width}
        self.projections = for_each(list(sizes), lambda name: nn.Linear(sizes[name], width))
        C = len(self.classes)
        probabilities = torch.full((C,), 1 / C) if prior is None else torch.as_tensor(prior).float()
        self.register_buffer("log_prior", prior_logits(probabilities))
        self._fusion: Fusion | None = None
        self.fusion_name: str | None = None
        self._awaiting: dict[str, Any] = dict(fusion_options or {})  # a fusion that the method will bring
        if fusion is not None:
            self.set_fusion(fusion, **self._awaiting)

    @classmethod
    def for_data(
        cls,
        data: Splits,
        encoders: Mapping[str, nn.Module | str | Mapping[str, Any]] | None = None,
        *,
        width: int = 64,
        fusion: str | None = None,
        fusion_options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> Classifier:
        """Return a new classifier whose encoders fit the data's shapes and training statistics.

        Args:
            data: splits; only the training part is read.
            encoders: for some modalities a module of yours, the name of an encoder (`module:Class` is imported), or a
                mapping with `name` and the encoder's options; the others get the default of their kind. Freeze what
                should not train (`requires_grad_(False)`): a frozen module stays in evaluation mode, with its running
                statistics, and is not saved with the run. A batch norm normalises a single row by them.
            width: size of the encodings.
            fusion: name of a fusion, or None to let the method choose.
            fusion_options: the fusion's arguments; without a name, those of the fusion that the method brings.
            seed: seed of the initial weights.

        Raises:
            ConfigError: an encoder, an option or a modality is unknown, or a module of yours returns a wrong shape.
            DataError: the data are not split, or no built-in encoder serves a modality's kind.
        """
        from equimodal.data.splits import check_splits

        check_splits(data)
        built, origins, widths = encoders_for(data.train, by_modality(encoders), width, seed)
        counts = np.bincount(np.asarray(data.train.labels), minlength=len(data.classes))
        with seeded(seed, "classifier"):
            model = cls(
                built,
                data.classes,
                width=width,
                widths=widths,
                prior=torch.from_numpy(counts / counts.sum()),
                fusion=fusion,
                fusion_options=fusion_options,
            )
        model.origins = origins
        return model

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.encoders)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.log_prior.device

    @property
    def fusion(self) -> Fusion:
        """The fusion.

        Raises:
            ConfigError: none has been chosen yet.
        """
        if self._fusion is None:
            raise ConfigError(
                "This classifier has no fusion yet: train it (the method brings one), or name one, "
                "Classifier.for_data(data, fusion='concat')."
            )
        return self._fusion

    @property
    def has_fusion(self) -> bool:
        """Whether a fusion has been chosen."""
        return self._fusion is not None

    @property
    def fusion_options(self) -> dict[str, Any]:
        """The fusion's options; before one has been chosen, those that it is to be given."""
        return dict(self._awaiting if self._fusion is None else self._fusion.options)

    def set_fusion(self, name: str, **options: Any) -> None:
        """Give the classifier a new fusion, with new weights.

        Raises:
            ConfigError: the fusion or an option is unknown.
        """
        self._fusion = build_fusion(name, self.modalities, self.width, len(self.classes), options)
        self._fusion.to(self.device)
        self.fusion_name = name

    def clear_fusion(self) -> None:
        """Remove the fusion and its options, so that the next method brings its own."""
        self._fusion, self.fusion_name, self._awaiting = None, None, {}

    def modes_in_training(self) -> dict[nn.Module, bool]:
        """Return the mode of every module while the classifier trains; a frozen encoder stays in evaluation mode."""
        modes = super().modes_in_training()
        for encoder in self.encoders.values():
            modes |= training_modes(encoder)  # one without parameters does not train either
        return modes

    def own_parameters(self, modality: str) -> list[nn.Parameter]:
        """Return the parameters that belong to one modality: its encoder, and its parts of the fusion."""
        modules = [self.encoders[modality], *self.fusion.own_parts(modality)]
        if modality in self.projections:
            modules.append(self.projections[modality])
        return [parameter for module in modules for parameter in module.parameters()]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that belong to no single modality."""
        own = {id(p) for name in self.modalities for p in self.own_parameters(name)}
        return [p for p in self.parameters() if id(p) not in own]

    def prepare(self, data: Dataset, cache: FeatureCache | None = None) -> Dataset:
        """Return the data set with every modality in the form its encoder takes; one that it lacks counts as absent.

        Args:
            data: as it was given.
            cache: where the outputs of frozen encoders are kept; None: they are computed in each pass.

        Raises:
            DataError: an array does not have the shape that the encoder was made for.
            RunError: the cache cannot be written.
        """
        ours = {name: e for name, e in self.encoders.items() if isinstance(e, Encoder) and name in data.modalities}
        problems = [problem for name, e in ours.items() for problem in e.spec_problems(name, data.specs[name])]
        if problems:  # before anything is encoded
            raise DataError(f"{data.name}: {' '.join(problems)}")
        for name, encoder in ours.items():
            data = prepared(data, name, encoder, cache)
        return data

    def complete(self, batch: Batch) -> Batch:
        """Return the batch with every modality of the model; one that it lacks is absent from all rows."""
        if all(name in batch.present for name in self.modalities):
            return batch
        nowhere = torch.zeros(len(batch), dtype=torch.bool, device=batch.labels.device)
        present = {name: batch.present.get(name, nowhere) for name in self.modalities}
        return Batch(batch.inputs, present, batch.labels, batch.ids, batch.lengths)

    def encode_one(self, batch: Batch, modality: str) -> Tensor:
        """Return one modality's encodings (B, width); the encoder runs on the rows present, others are zero.

        Raises:
            ConfigError: the encoder returns something other than one row of its width per sample.
        """
        present = batch.present[modality]
        rows = present.nonzero().squeeze(1)
        encodings = torch.zeros(len(batch), self.width, device=present.device)
        if len(rows) == 0:
            return encodings
        x, lengths = batch.inputs[modality], batch.lengths.get(modality)
        if len(rows) < len(batch):
            x, lengths = rows_of(x, rows), None if lengths is None else lengths[rows]
        some = self._run_encoder(modality, x, lengths, len(rows))
        if len(rows) == len(batch):
            return some
        return encodings.to(some.dtype).index_copy(0, rows, some)

    def _run_encoder(self, modality: str, x: Input, lengths: Tensor | None, samples: int) -> Tensor:
        encoder, project = self.encoders[modality], None
        if modality in self.projections:
            project = cast(nn.Linear, self.projections[modality])
        width = self.width if project is None else project.in_features
        single = samples == 1 and encoder.training
        with without_batch_statistics(encoder) if single else nullcontext():
            out = call_encoder(encoder, x, lengths, modality=modality, samples=samples, width=width)
        if out.dtype != self.log_prior.dtype and not torch.is_autocast_enabled(out.device.type):
            out = out.to(self.log_prior.dtype)  # a module of the user's in another precision
        return out if project is None else project(out)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """Return the encodings (B, width) of every modality."""
        return {name: self.encode_one(batch, name) for name in self.modalities}

    def fuse(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C); the training prior's where nothing is present."""
        anything = self.fusion.stacked(present).any(0)
        logits = self.fusion(encodings, present)
        return _with_prior(anything, logits, self.log_prior)

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C): row k as if only the modalities of `coalitions[k]` (n,) were present."""
        coalitions = known(coalitions, self.device)
        here = self.fusion.stacked(present)  # (n, B)
        anything = (coalitions.unsqueeze(-1) & here).any(1)  # (K, B)
        logits = self.fusion.coalitions(encodings, present, coalitions)
        return _with_prior(anything, logits, self.log_prior)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B, C)."""
        batch = self.complete(batch)
        return self.fuse(self.encode(batch), batch.present)

    def trained_state(self) -> dict[str, Tensor]:
        """Return the tensors that training can move, by name; the frozen base of an encoder is not among them.

        These are all of the classifier's own, and of each encoder the trainable parameters and the buffers of
        modules that train. See `base_state` for the rest.
        """
        base = self.base_state()
        return {name: tensor for name, tensor in named_tensors(self).items() if name not in base}

    def base_state(self) -> dict[str, Tensor]:
        """Return the frozen tensors of the encoders, by name."""
        return {
            f"encoders.{modality}.{name}": tensor
            for modality, encoder in self.encoders.items()
            for name, tensor in frozen_state(encoder).items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Set tensors by name, as `trained_state` returns them; those of encoders that are not named stay.

        Raises:
            RuntimeError: a tensor has no place here or another shape, or one outside the encoders is missing.
        """
        missing, unexpected = self.load_state_dict(dict(state), strict=False)
        problems = [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
        if missing := [name for name in missing if not name.startswith("encoders.")]:
            problems.append(f"missing: {', '.join(missing)}")
        if problems:
            raise RuntimeError("; ".join(problems))

    def check_encoders(self, train: Dataset) -> None:
        """Raise an error if an encoder could not be trained or saved; the user's run on two training rows for this.

        Raises:
            ConfigError: see `check_trainable`; or an encoder derives from `Encoder`, and its class
                is not registered.
        """
        problems: list[str] = []
        for name, encoder in self.encoders.items():
            try:
                if isinstance(encoder, Encoder):
                    if name not in self.origins:
                        registered_name(encoder)
                else:
                    project = cast(nn.Linear, self.projections[name]) if name in self.projections else None
                    check_trainable(encoder, train, name, self.width if project is None else project.in_features)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)

    def specification(self) -> dict[str, Any]:
        """Return what rebuilds this classifier but for its trained weights, JSON-safe.

        A module that was given is named by its class; the frozen base of an encoder by a checksum, see `base_of`.
        """
        return {
            "classes": list(self.classes),
            "width": self.width,
            "widths": {name: layer.in_features for name, layer in self.projections.items()},  # pyright: ignore
            "encoders": {
                name: describe_encoder(encoder, self.origins.get(name)) for name, encoder in self.encoders.items()
            },
            "fusion": {"name": self.fusion_name, "options": self.fusion_options},
        }

    @classmethod
    def from_specification(
        cls,
        specification: Mapping[str, Any],
        encoders: Mapping[str, nn.Module] | None = None,
        trust: Collection[str] = (),
    ) -> Classifier:
        """Return a classifier with fresh weights from `specification`.

        Args:
            specification: what `specification` returned.
            encoders: the modules of yours that it was made with.
            trust: modules whose classes may be imported, see `equimodal.load`.

        Raises:
            ConfigError: an encoder of yours is missing, is not a torch module, or belongs to no modality; or a class is
                of a module that is not trusted, or cannot be imported or made.
        """
        built, origins = encoders_of(specification["encoders"], by_modality(encoders), trust)
        fusion = specification["fusion"]
        model = cls(
            built,
            specification["classes"],
            width=specification["width"],
            widths=specification["widths"],
            fusion=fusion["name"],
            fusion_options=fusion["options"],
        )
        model.origins = origins
        return model


def _with_prior(anything: Tensor, logits: Tensor, log_prior: Tensor) -> Tensor:
    """Return logits (..., C) with the prior's where nothing is present, in float32 at least: half precision, as mixed
    precision has it, would turn close priors into ties."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return torch.where(anything.unsqueeze(-1), logits, log_prior.to(logits.dtype))
