"""What an encoder is, how it is named, and the standardisation that most of them begin with."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.batch import Input
from equimodal.config.arguments import check_arguments
from equimodal.errors import ConfigError, DataError
from equimodal.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry("encoder", "equimodal.models.encoders")


class Encoder(nn.Module):
    """Base of the built-in encoders; any ``nn.Module`` that returns (B, width) can stand in for one.

    A subclass takes ``width`` and its own options as keyword arguments, reads the arguments that follow from
    the data in :meth:`describe`, and learns fixed statistics of the training rows in :meth:`fit_inputs`.

    Args:
        options: the constructor's arguments, kept so that a saved model can be rebuilt.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of modality served: "vector", "sequence", "image", "text" or "tensor"."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    @classmethod
    def describe(cls, values: np.ndarray) -> dict[str, Any]:
        """Return the constructor arguments that follow from the data's shape."""
        return {"features": int(values.shape[-1])}

    def shape_problems(self, modality: str, kind: str, values: Any) -> list[str]:
        """Return a message if the values have not the kind and shape that this encoder was made for."""
        if kind not in self.kinds:
            return [f"{modality}: the model was made for {' or '.join(self.kinds)}, the data are {kind}."]
        if not isinstance(values, np.ndarray):
            return []
        found = type(self).describe(values)
        # None: this encoder was made without the data, and takes any.
        expected = {key: value if self.options[key] is None else self.options[key] for key, value in found.items()}
        return [] if found == expected else [self.mismatch(modality, expected, found)]

    def mismatch(self, modality: str, expected: dict[str, Any], found: dict[str, Any]) -> str:
        """Return the message for data whose description is not the one that this encoder was made for."""
        return f"{modality}: the model was made for {_listed(expected)}, the data have {_listed(found)}."

    def fit_inputs(self, values: np.ndarray, lengths: np.ndarray | None) -> None:
        """Learn statistics of the inputs from the training rows that are present."""

    def prepare(self, values: Any) -> Any:
        """Turn stored values into what :meth:`forward` takes; done once for a data set, or per batch."""
        return values

    def forward(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        raise NotImplementedError


def _listed(description: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in description.items())


class Standardise(nn.Module):
    """Subtract the mean and divide by the standard deviation of each column (last axis) of the training rows.

    Constant columns are only centred. The statistics are buffers, saved with the model.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, values: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Set the statistics from ``values`` (N, ..., features); steps beyond ``lengths`` do not count."""
        count, total, squares = 0, 0.0, 0.0
        for start in range(0, len(values), 1024):  # in chunks: the array may be a memory map
            rows = np.asarray(values[start : start + 1024], dtype=np.float64)
            if lengths is not None:
                steps = np.arange(rows.shape[1])
                rows = rows[steps < np.asarray(lengths[start : start + 1024])[:, None]]
            rows = rows.reshape(-1, rows.shape[-1])
            count += len(rows)
            total = total + rows.sum(0)
            squares = squares + np.square(rows).sum(0)
        mean = total / max(count, 1)
        std = np.sqrt(np.maximum(squares / max(count, 1) - np.square(mean), 0.0))
        floor = 1e-6 * np.maximum(np.abs(mean), 1.0)  # below it a column is constant but for rounding
        self.mean.copy_(torch.from_numpy(np.atleast_1d(mean)).to(self.mean))
        self.std.copy_(torch.from_numpy(np.atleast_1d(np.where(std > floor, std, 1.0))).to(self.std))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(x - mean) / std``, float32."""
        return (x.float() - self.mean) / self.std


def build_encoder(name: str, modality: str, arguments: dict[str, Any]) -> Encoder:
    """Return a new encoder by name.

    Raises:
        ConfigError: the name, or one of the arguments, is unknown, or a value is impossible.
    """
    cls = ENCODERS.get(name)
    checked = check_arguments(cls, arguments, f"model.encoders.{modality}", f"encoder '{name}'")
    try:
        return cls(**checked)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's own words for sizes and rates it cannot take
        raise ConfigError(f"model.encoders.{modality}: encoder '{name}' cannot be made: {error}.") from error


def default_encoder(kind: str, modality: str) -> str:
    """Return the name of the encoder that a kind of modality gets when none is asked for.

    Raises:
        DataError: no built-in encoder serves that kind.
    """
    defaults = {"vector": "mlp", "sequence": "conv1d", "image": "cnn", "text": "hashed_text"}
    if kind not in defaults:
        raise DataError(
            f"Modality '{modality}' is of kind '{kind}', which no built-in encoder serves "
            f"(served: {', '.join(defaults)}). Pass your own module: encoders={{'{modality}': module}}."
        )
    return defaults[kind]


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
        advice = "Return one row of features a sample."
    came = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
    came += f" of {out.dtype}" if isinstance(out, Tensor) and not out.is_floating_point() else ""
    raise ConfigError(
        f"model.encoders.{modality}: {type(encoder).__name__} should return a tensor (batch, width), "
        f"here ({samples}, {width or 'width'}), got {came}. {advice}"
    )
