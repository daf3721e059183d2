"""What an encoder is, how it is named, and the standardisation that most of them begin with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from equimodal.batch import Input
from equimodal.config.arguments import check_arguments
from equimodal.data.coerce import channels_last_advice
from equimodal.data.columns.base import Column, Spec
from equimodal.errors import ConfigError, DataError
from equimodal.features.part import FrozenPart
from equimodal.models.encoders.standardise import Standardise
from equimodal.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry("encoder", "equimodal.models.encoders")


class Encoder(nn.Module):
    """Base of the built-in encoders; any `nn.Module` that returns (B, width) can stand in for one.

    A subclass takes `width` and its own options as keyword arguments, reads the arguments that follow from the data in
    `describe`, and learns fixed statistics of the training rows in `fit_inputs`.

    Args:
        options: the constructor's arguments, kept so that a saved model can be rebuilt.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of modality served: "vector", "sequence", "image", "video", "text" or "tensor"."""

    compiles: ClassVar[bool] = True
    """Whether torch compiles it where `training.compile` asks for that; without, it runs as it is."""

    without_padding: ClassVar[bool] = False
    """Whether `prepare` gets each row cut to its valid time steps, because steps of its own come after."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    @classmethod
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return the constructor arguments that follow from a column's spec."""
        return {"features": spec.shape[-1]}

    def spec_problems(self, modality: str, spec: Spec) -> list[str]:
        """Return a message if a column does not have the kind and shape that this encoder was made for."""
        if spec.kind not in self.kinds:
            return [f"{modality}: the model was made for {' or '.join(self.kinds)}, the data are {spec.kind}."]
        if spec.fields is not None:
            return []
        found = type(self).describe(spec)
        # None: this encoder was made without the data, and takes any.
        expected = {key: value if self.options[key] is None else self.options[key] for key, value in found.items()}
        return [] if found == expected else [self.mismatch(modality, expected, found)]

    def mismatch(self, modality: str, expected: dict[str, Any], found: dict[str, Any]) -> str:
        """Return the message for data that do not have the description that this encoder was made for."""
        return f"{modality}: the model was made for {_listed(expected)}, the data have {_listed(found)}."

    def fit_inputs(self, chunks: Iterable[np.ndarray]) -> None:
        """Learn statistics of the inputs, by one pass over the training rows.

        Args:
            chunks: what present rows hold, as stored and without padding: (n, ...), for sequences (steps, ...).
        """

    def prepare(self, column: Column) -> Column:
        """Return stored rows as what `forward` takes; called once for a data set."""
        return column

    @property
    def names_base(self) -> bool:
        """Whether a run names the frozen weights by source and checksum in place of saving them."""
        return False

    def files(self) -> dict[str, Any]:
        """Return what is read from files when a saved run is loaded, besides tensors: JSON-safe, by the files' names.

        It decides what the encoder returns. A run keeps it, and is not loaded where it has changed.
        """
        return {}

    def frozen_part(self) -> FrozenPart | None:
        """Return the part that no training moves, whose outputs a cache may keep; None where there is none."""
        return None

    @property
    def needs_double(self) -> bool:
        """Whether prepared data should come in float64, because float32 cannot tell the training rows apart."""
        return any(module.needs_double for module in self.modules() if isinstance(module, Standardise))

    def forward(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        raise NotImplementedError


def _listed(description: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in description.items())


def build_encoder(name: str, modality: str, arguments: dict[str, Any], cls: type[Encoder] | None = None) -> Encoder:
    """Return a new encoder by name.

    Args:
        name: of the encoder.
        modality: whose it becomes, for messages.
        arguments: of its constructor.
        cls: its class; None: the one that is registered under the name.

    Raises:
        ConfigError: the name, or one of the arguments, is unknown, or a value is impossible.
    """
    cls = cls or ENCODERS.get(name)
    checked = check_arguments(cls, arguments, f"model.encoders.{modality}", f"encoder '{name}'")
    try:
        return cls(**checked)
    except ConfigError as error:
        raise ConfigError([f"model.encoders.{modality}: {problem}" for problem in error.problems]) from error
    except (TypeError, ValueError, RuntimeError) as error:  # torch's own words for sizes and rates it cannot take
        raise ConfigError(f"model.encoders.{modality}: encoder '{name}' cannot be made: {error}.") from error


def default_encoder(spec: Spec, modality: str) -> str:
    """Return the name of the encoder that a column gets when none is asked for.

    Raises:
        DataError: no built-in encoder serves its kind.
    """
    defaults = {"vector": "mlp", "sequence": "conv1d", "image": "cnn", "video": "video", "text": "hashed_text"}
    if spec.kind not in defaults:
        channels_last = channels_last_advice(spec.shape)
        advice = f"{channels_last} Otherwise pass" if channels_last else "Pass"
        raise DataError(
            f"Modality '{modality}' is of kind '{spec.kind}', which no built-in encoder serves "
            f"(served: {', '.join(defaults)}). {advice} your own module: encoders={{'{modality}': module}}."
        )
    return defaults[spec.kind]


def call_encoder(
    encoder: nn.Module, x: Input, lengths: Tensor | None, *, modality: str, samples: int, width: int | None = None
) -> Tensor:
    """Run an encoder, ours or any module; lengths are passed where the modality has them.

    Args:
        encoder: the module.
        x: its inputs.
        lengths: valid time steps of each sample, or None.
        modality: the modality's name, for messages.
        samples: how many there are.
        width: the expected size of an encoding; None: any.

    Returns:
        Encodings (samples, width).

    Raises:
        ConfigError: the encoder returns something else.
    """
    out = encoder(x) if lengths is None else encoder(x, lengths)
    if isinstance(out, Tensor) and out.ndim == 2 and len(out) == samples and out.is_floating_point():
        if width in (None, out.shape[1]):
            return out
        advice = f"Say widths={{'{modality}': {out.shape[1]}}}, or use Classifier.for_data, which finds the width."
    else:
        advice = "Return one row of features per sample."
    came = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
    came += f" of {out.dtype}" if isinstance(out, Tensor) and not out.is_floating_point() else ""
    raise ConfigError(
        f"model.encoders.{modality}: {type(encoder).__name__} should return a tensor (batch, width), "
        f"here ({samples}, {width or 'width'}), got {came}. {advice}"
    )
