"""Buffers of encoders (running statistics) move in the updates of their own modality, as parameters do."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import Standardise
from equimodal.modes import training_modes


class EncoderBuffers:
    """Let the buffers of an encoder move only in a step that moves the encoder.

    A forward pass in training mode changes running statistics at once, before it is known which update it is for. After
    each step the buffers of encoders that took no part in it are therefore restored. What their pass made of them is
    kept: if the encoder takes a step later in the batch, without another pass, its buffers move then.

    Args:
        model: the classifier.
    """

    def __init__(self, model: Classifier) -> None:
        self._buffers = {encoder: _moving(encoder) for encoder in model.encoders.values()}
        self.start_batch()

    def start_batch(self) -> None:
        """Take the buffers as they are; passes of an earlier batch no longer count."""
        self._settled = {encoder: _clones(buffers) for encoder, buffers in self._buffers.items()}
        self._pending: dict[nn.Module, list[Tensor]] = {}

    def settle(self, moved: Collection[nn.Module]) -> None:
        """Keep the buffers of the encoders that a step moved, and restore those of all others."""
        for encoder, buffers in self._buffers.items():
            settled = self._settled[encoder]
            passed = not all(map(torch.equal, buffers, settled))
            if encoder not in moved:
                if passed:
                    self._pending[encoder] = _clones(buffers)
                    _set(buffers, settled)
            elif passed:
                self._settled[encoder] = _clones(buffers)
                self._pending.pop(encoder, None)
            elif encoder in self._pending:
                self._settled[encoder] = self._pending.pop(encoder)
                _set(buffers, self._settled[encoder])


def _moving(encoder: nn.Module) -> list[Tensor]:
    """Return the buffers of the modules that train, but for those that nothing moves."""
    return [
        buffer
        for module, trains in training_modes(encoder).items()
        if trains and not isinstance(module, Standardise)
        for buffer in module._buffers.values()
        if buffer is not None
    ]


def _clones(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _set(tensors: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        # Unseen by autograd, which may have saved the tensor for a backward pass to come, but reads no value of it.
        tensor.data.copy_(value)
