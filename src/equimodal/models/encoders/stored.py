"""Begin from parameters that another library stored, as safetensors."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from equimodal.errors import PICKLE, ConfigError

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""What a batch norm stores beside its parameters, and a group norm has no use for."""

_PICKLES = (b"PK\x03\x04", b"\x80")
"""How the files of `torch.save` begin, new and old."""


def load_parameters(module: nn.Module, path: Path, *, new: Collection[str] = ()) -> None:
    """Give a module the tensors of a safetensors file, by name.

    Where the module has one input channel and the file's first filters have several, they are summed over them. Running
    statistics that the module has no place for are left out.

    Args:
        module: the module.
        path: the file.
        new: beginnings of names that are not taken from the file.

    Raises:
        ConfigError: the file is missing, a pickle or damaged, or its tensors do not fit.
    """
    stored = {name: tensor for name, tensor in _read(path).items() if not name.startswith(tuple(new))}
    wanted = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith(tuple(new))}
    stored = {n: t for n, t in stored.items() if n in wanted or n.rpartition(".")[2] not in _STATISTICS}
    problems = []
    if missing := [name for name in wanted if name not in stored and not name.endswith("num_batches_tracked")]:
        problems.append(f"it lacks {_some(missing)}")
    if unknown := [name for name in stored if name not in wanted]:
        problems.append(f"it has {_some(unknown)}, which {type(module).__name__} has not")
    for name in stored.keys() & wanted.keys():
        stored[name] = _grey(stored[name], wanted[name])
    differing = [name for name in wanted if name in stored and stored[name].shape != wanted[name].shape]
    if differing:
        name = differing[0]
        there, here = tuple(stored[name].shape), tuple(wanted[name].shape)
        problems.append(f"{_some(differing)} have another shape: {name} is {there} there and {here} here")
    if problems:
        raise ConfigError(f"weights: {path} does not fit: {'; '.join(problems)}. Give a file of this network.")
    module.load_state_dict(stored, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ConfigError(f"weights: {path.absolute()}: no such file. Give the path of a safetensors file.")
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
        if beginning.startswith(_PICKLES):
            raise ConfigError(
                f"weights: {path} {PICKLE} Convert it once: "
                f"state = torch.load({path.name!r}, weights_only=True); "
                f"safetensors.torch.save_file(state, {path.with_suffix('.safetensors').name!r})."
            )
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"weights: {path}: is damaged, or no safetensors file ({error}).") from error


def _grey(stored: Tensor, wanted: Tensor) -> Tensor:
    """Return filters for one channel that answer to a grey picture as those for several do."""
    if stored.ndim == wanted.ndim == 4 and wanted.shape[1] == 1 != stored.shape[1]:
        return stored.to(torch.float32).sum(1, keepdim=True)
    return stored


def _some(names: list[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f", ... ({len(names)} in all)" if len(names) > shown else "")
