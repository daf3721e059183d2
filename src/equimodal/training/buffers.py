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
        moving = {encoder: _moving(encoder) for encoder in model.encoders.values()}
        self._buffers = {encoder: buffers for encoder, buffers in moving.items() if buffers}
        self.start_batch()

    def start_batch(self) -> None:
        """Take the buffers as they are; passes of an earlier batch no longer count."""
        self._settled = {encoder: _flat(buffers) for encoder, buffers in self._buffers.items()}
        self._pending = {encoder: (values, _no(values)) for encoder, values in self._settled.items()}

    def settle(self, moved: Collection[nn.Module]) -> None:
        """Keep the buffers of the encoders that a step moved, and restore those of all others."""
        # Whether a pass changed a buffer is known on the device alone: nothing here asks it.
        for encoder, buffers in self._buffers.items():
            now, settled = _flat(buffers), self._settled[encoder]
            pending, waits = self._pending[encoder]
            passed = _differ(now, settled)
            if encoder in moved:
                kept = _choose(passed, now, _choose(waits, pending, settled))
                self._settled[encoder], self._pending[encoder] = kept, (kept, _no(kept))
                _set(buffers, kept)
            else:
                self._pending[encoder] = _choose(passed, now, pending), passed | waits
                _set(buffers, settled)


Flat = dict[torch.dtype, Tensor]
"""The values of several tensors, one after the other, by type: they are compared and chosen in a few operations."""


def _moving(encoder: nn.Module) -> list[Tensor]:
    """Return the buffers of the modules that train, but for those that nothing moves."""
    return [
        buffer
        for module, trains in training_modes(encoder).items()
        if trains and not isinstance(module, Standardise)
        for buffer in module._buffers.values()
        if buffer is not None
    ]


def _flat(tensors: list[Tensor]) -> Flat:
    types = dict.fromkeys(tensor.dtype for tensor in tensors)
    return {dtype: torch.cat([t.detach().flatten() for t in tensors if t.dtype == dtype]) for dtype in types}


def _no(values: Flat) -> Tensor:
    return torch.zeros((), dtype=torch.bool, device=next(iter(values.values())).device)


def _differ(one: Flat, other: Flat) -> Tensor:
    return torch.stack([(one[dtype] != other[dtype]).any() for dtype in one]).any()


def _choose(which: Tensor, one: Flat, other: Flat) -> Flat:
    return {dtype: torch.where(which, one[dtype], other[dtype]) for dtype in one}


def _set(tensors: list[Tensor], values: Flat) -> None:
    for dtype, flat in values.items():
        same = [tensor for tensor in tensors if tensor.dtype == dtype]
        for tensor, part in zip(same, flat.split([tensor.numel() for tensor in same]), strict=True):
            # Unseen by autograd, which may have saved the tensor for a backward pass to come, but reads no value of it.
            tensor.data.copy_(part.view_as(tensor))
