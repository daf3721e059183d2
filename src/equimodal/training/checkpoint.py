"""Weights and checkpoints as safetensors: tensors by name, everything else as JSON in the file's header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from equimodal.errors import RunError
from equimodal.files import write_whole


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and JSON metadata as one file, whole or not at all."""
    flat = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    stored: set[int] = set()
    for name, tensor in flat.items():  # tied weights are written under each of their names
        if tensor.data_ptr() in stored:
            flat[name] = tensor.clone()
        stored.add(tensor.data_ptr())
    header = {"equimodal": json.dumps(metadata)}

    def write(temporary: Path) -> None:
        try:
            save_file(flat, temporary, metadata=header)
        except SafetensorError as error:  # it wraps the disk's own errors
            raise OSError(str(error)) from error

    write_whole(path, write)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the metadata of a file that `save_tensors` wrote.

    Raises:
        RunError: there is no such file, it is cut short, or equimodal did not write it.
    """
    if not path.is_file():
        raise RunError(f"{path}: no such file. Is this the folder of a run that has finished an epoch?")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = (file.metadata() or {}).get("equimodal")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path}: cannot be read, it is damaged or cut short ({error}).") from error
    if metadata is None:
        raise RunError(f"{path}: was not written by equimodal (its header lacks our metadata).")
    try:
        return tensors, json.loads(metadata)
    except json.JSONDecodeError as error:
        raise RunError(f"{path}: cannot be read, its header is damaged ({error}).") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: Mapping[int, str]) -> dict[str, Tensor]:
    """Return the optimiser's state by parameter name: `<parameter>|<key>`; `names` is by `id`."""
    return {
        f"{names[id(parameter)]}|{key}": torch.as_tensor(value)
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
        if value is not None
    }


def load_optimiser_tensors(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]
) -> None:
    """Set the optimiser's state from `optimiser_tensors`."""
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition("|")
        parameter = parameters[name]
        optimiser.state[parameter][key] = tensor.to(parameter.device, copy=True)  # fused AdamW counts steps there too


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with `prefix/` before each name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose name begins with `prefix/`, without it."""
    return {
        name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")
    }
