"""Encoders that are modules of the user's: what is wrong with one is found on two rows, before training."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from equimodal.batch import Batch, Input, rows_of
from equimodal.errors import ConfigError
from equimodal.models.encoders.base import call_encoder
from equimodal.modes import evaluating, set_modes, training_modes, without_batch_statistics

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset

TOLERANCE = 0.02
"""Of the largest number in an encoding: rounding in half precision is below it, the statistics of a batch above."""


def probe(encoder: nn.Module, train: Dataset, modality: str, width: int | None = None) -> int:
    """Return the size of a module's encodings; run it on two training rows to find what would break training.

    It runs where it is, in evaluation mode and in training mode. Modes and buffers are as before afterwards. Lazy
    parameters are initialised, from torch's generator; the caller seeds it, and restores it.

    Args:
        encoder: the module.
        train: the training rows.
        modality: which of them.
        width: what the size should be; None: any.

    Raises:
        ConfigError: it raises, returns something other than one row of features per sample, lets the rows of a batch
            depend on each other in evaluation mode, or has sparse gradients.
    """
    _check_lengths(encoder, train, modality)
    rows = np.flatnonzero(train.present[modality])[:2]
    batch = train.batch(rows)
    device = next((tensor.device for tensor in (*encoder.parameters(), *encoder.buffers())), None)
    batch = batch if device is None else batch.to(device)
    x, lengths = batch.inputs[modality], batch.lengths.get(modality)

    def run(x: Input, lengths: Tensor | None, samples: int) -> Tensor:
        try:
            return call_encoder(encoder, x, lengths, modality=modality, samples=samples, width=width)
        except ConfigError:
            raise
        except Exception as error:  # the user's code, which may raise anything
            raise ConfigError(_cannot_run(encoder, modality, batch, error)) from error

    with torch.no_grad(), evaluating(encoder):
        both, again = run(x, lengths, len(rows)), run(x, lengths, len(rows))
        first = torch.zeros(1, dtype=torch.int64, device=batch.labels.device)
        alone = run(rows_of(x, first), None if lengths is None else lengths[first], 1)
    if both.device.type == "meta":  # shapes alone
        return both.shape[1]
    gap = torch.cat([both - again, both[:1] - alone]).abs().nan_to_num().max()
    if gap > TOLERANCE * both.abs().nan_to_num().max():
        raise ConfigError(
            f"model.encoders.{modality}: what {type(encoder).__name__} returns for a row depends on the other rows of "
            "the batch, or on chance, in evaluation mode too. Predictions must not: give batch norms running "
            "statistics (track_running_stats=True), and apply dropout in training mode only."
        )
    learning = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    if learning:
        with torch.enable_grad(), _training(encoder, single=len(rows) == 1):
            out = run(x, lengths, len(rows))
            gradients: Sequence[Tensor | None] = []
            if out.requires_grad:
                gradients = torch.autograd.grad(out.sum(), learning, allow_unused=True)
        if any(gradient is not None and gradient.is_sparse for gradient in gradients):
            raise ConfigError(
                f"model.encoders.{modality}: {type(encoder).__name__} has sparse gradients, which neither clipping nor "
                "the optimisers take. Make its embeddings with sparse=False."
            )
    return both.shape[1]


def batch_size_problems(encoders: nn.ModuleDict, batch_size: int) -> list[str]:
    """Return a message for each encoder whose batch norms would never see two rows."""
    if batch_size > 1:
        return []
    return [
        f"training.batch_size: expected at least 2, because the encoder of '{name}' ({type(encoder).__name__}) has "
        "batch norms, got 1. A single row has no batch statistics."
        for name, encoder in encoders.items()
        if any(isinstance(module, _BatchNorm) and trains for module, trains in training_modes(encoder).items())
    ]


def check_trainable(encoder: nn.Module, train: Dataset, modality: str, width: int) -> None:
    """Raise an error if a module cannot be trained as a modality's encoder.

    Raises:
        ConfigError: it has no weights yet, or see `probe`.
    """
    if any(tensor.device.type == "meta" for tensor in (*encoder.parameters(), *encoder.buffers())):
        raise ConfigError(
            f"model.encoders.{modality}: {type(encoder).__name__} is on the meta device, without weights. Load its "
            "weights first."
        )
    probe(encoder, train, modality, width)


def _check_lengths(encoder: nn.Module, train: Dataset, modality: str) -> None:
    if modality in train.lengths and not _takes_lengths(encoder):
        raise ConfigError(
            f"model.encoders.{modality}: {type(encoder).__name__} has a forward that takes the inputs alone, but "
            f"'{modality}' has sequences of different lengths. Make it forward(x, lengths): x is padded, "
            "(batch, steps, ...), and lengths (batch,) counts the steps that are not padding."
        )


def _takes_lengths(encoder: nn.Module) -> bool:
    try:
        inspect.signature(encoder.forward).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # no signature is known
        return True
    return True


def _cannot_run(encoder: nn.Module, modality: str, batch: Batch, error: Exception) -> str:
    x = batch.inputs[modality]
    given = f"{x.dtype} {tuple(x.shape)}".removeprefix("torch.") if isinstance(x, Tensor) else type(x).__name__
    lengths = " and lengths" if modality in batch.lengths else ""
    strange = {p.dtype for p in encoder.parameters() if p.is_floating_point()} - {torch.float32}
    advice = "Change its forward, or give an encoder for such inputs."
    if strange and isinstance(x, Tensor) and x.is_floating_point():
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in strange))
        advice = f"Its parameters are {names}: call .float() on it, or convert x in its forward."
    return (
        f"model.encoders.{modality}: {type(encoder).__name__} cannot encode two training rows ({given}{lengths}): "
        f"{type(error).__name__}: {error}. {advice}"
    )


@contextmanager
def _training(encoder: nn.Module, *, single: bool) -> Iterator[None]:
    """Put what trains into training mode; modes and buffers are as before afterwards."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in encoder.buffers()]
    with evaluating(encoder):  # restores the modes
        set_modes(training_modes(encoder))
        try:
            with without_batch_statistics(encoder) if single else nullcontext():
                yield
        finally:
            for buffer, before in buffers:
                buffer.data.copy_(before)
