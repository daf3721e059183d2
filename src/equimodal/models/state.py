"""What of a model trains, and what does not: the tensors that training moves, and the frozen rest."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from equimodal.modes import training_modes

M = TypeVar("M", bound=nn.Module)


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and persistent buffers by name, tied ones under each of their names."""
    found: dict[str, Tensor] = {}
    for prefix, below in module.named_modules(remove_duplicate=False):
        dot = f"{prefix}." if prefix else ""
        for name, parameter in below._parameters.items():
            if parameter is not None:
                found[dot + name] = parameter
        for name, buffer in below._buffers.items():
            if buffer is not None and name not in below._non_persistent_buffers_set:
                found[dot + name] = buffer
    return found


def frozen_tensors(module: nn.Module) -> list[Tensor]:
    """Return what training cannot move: frozen parameters, and the buffers of modules that do not train."""
    frozen: list[Tensor] = [parameter for parameter in module.parameters() if not parameter.requires_grad]
    for below, mode in training_modes(module).items():
        if not mode:
            frozen += [buffer for buffer in below._buffers.values() if buffer is not None]
    return frozen


def frozen_state(module: nn.Module) -> dict[str, Tensor]:
    """Return those of the tensors by name that training cannot move.

    Example:
        >>> encoder = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).requires_grad_(False))
        >>> [*frozen_state(encoder)]
        ['1.weight', '1.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked']
    """
    frozen = {id(tensor) for tensor in frozen_tensors(module)}
    return {name: tensor for name, tensor in named_tensors(module).items() if id(tensor) in frozen}


def copy_of(module: M) -> M:
    """Return a deep copy that shares every frozen tensor with the original.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
        >>> other = copy_of(model)
        >>> other[0].weight is model[0].weight, other[1].weight is model[1].weight
        (True, False)
    """
    memo: dict[int, Any] = {id(tensor): tensor for tensor in frozen_tensors(module)}
    return copy.deepcopy(module, memo)


def base_of(module: nn.Module, trained: Collection[str] | None = None) -> dict[str, Any] | None:
    """Return what names the frozen part of an encoder; None where nothing is frozen.

    Args:
        module: the encoder.
        trained: names of the tensors that a run trained, so that all others are its base; None: as they are now.

    Returns:
        The number of tensors and of bytes; a checksum of their names, types, shapes and values; `source` and
        `revision` where the module has such attributes, or holds a Hugging Face model that knows them.
    """
    base = frozen_state(module) if trained is None else named_tensors(module)
    base = {name: tensor for name, tensor in base.items() if name not in (trained or ())}
    if not base:
        return None
    return {
        "tensors": len(base),
        "bytes": sum(tensor.numel() * tensor.element_size() for tensor in base.values()),
        "checksum": checksum(base),
        **_source(module),
    }


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of tensors with their names, types and shapes, wherever they are.

    Example:
        >>> one = checksum({"w": torch.zeros(2)})
        >>> one == checksum({"w": torch.zeros(2)}), one == checksum({"w": torch.zeros(2, 1)})
        (True, False)
    """
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _source(module: nn.Module) -> dict[str, str]:
    for below in module.modules():
        known = {
            "source": getattr(below, "source", None) or getattr(below, "name_or_path", None),
            "revision": getattr(below, "revision", None)
            or getattr(getattr(below, "config", None), "_commit_hash", None),
        }
        if isinstance(known["source"], str):
            return {key: value for key, value in known.items() if isinstance(value, str)}
    return {}
