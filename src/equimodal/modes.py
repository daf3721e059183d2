"""Training and evaluation mode by module: training mode reaches what trains, and every mode can be restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Modes = Mapping[nn.Module, bool]
"""Whether each module is in training mode; a module comes before its children."""


def training_modes(module: nn.Module, without_parameters: bool = False) -> dict[nn.Module, bool]:
    """Return the mode of a module, and of every module in it, while it trains.

    A module is in training mode if it has trainable parameters, directly or below. A module with parameters of which
    none trains is frozen. It stays in evaluation mode with everything in it: dropout is off, and running statistics do
    not move. A module without parameters (dropout, an activation) has the mode of the module that it is part of.

    Args:
        module: the outermost module.
        without_parameters: the outermost module's mode, if it has no parameters.

    Example:
        >>> frozen = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).requires_grad_(False)
        >>> model = nn.Sequential(frozen, nn.Dropout(), nn.Linear(2, 2))
        >>> modes = training_modes(model)
        >>> modes[model], modes[frozen], modes[frozen[1]], modes[model[1]]
        (True, False, False, True)
    """
    trainable = [parameter.requires_grad for parameter in module.parameters()]
    mode = any(trainable) if trainable else without_parameters
    modes = {module: mode}
    for child in module.children():
        for below, its_mode in training_modes(child, mode).items():
            modes[below] = modes.get(below, False) or its_mode
    return modes


class ModesByModule(nn.Module):
    """A module whose `train` puts only what trains into training mode, see `training_modes`."""

    def modes_in_training(self) -> dict[nn.Module, bool]:
        """Return the mode of every module while this one trains."""
        return training_modes(self, without_parameters=True)

    def train(self, mode: bool = True) -> Self:
        """Put what trains into training mode, and everything else into evaluation mode."""
        set_modes(self.modes_in_training() if mode else dict.fromkeys(self.modules(), False))
        return self


def set_modes(modes: Modes) -> None:
    """Put each module into its mode. Modules that stay in evaluation mode are not touched.

    Where a class overrides `train`, its method is called, because it may do more than set flags: some adapters merge
    their weights in evaluation mode. What such a method keeps in evaluation mode stays there.
    """
    kept: set[nn.Module] = set()
    for module, mode in modes.items():
        overrides = type(module).train not in (nn.Module.train, ModesByModule.train)
        if overrides and (mode or module.training):
            module.train(mode)
            kept |= {below for below in module.modules() if mode and not below.training}
    for module, mode in modes.items():
        if module.training != mode and module not in kept:
            module.training = mode


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Put modules into evaluation mode, and restore the mode of every submodule afterwards, also after an error.

    `module.eval()` and `module.train()` set all submodules alike: a batch norm that its owner keeps in evaluation mode
    would come back in training mode. Here each submodule gets back the flag that it had.

    Args:
        modules: what runs inside the block.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
        >>> _ = model[0].eval()  # frozen, while the rest trains
        >>> with evaluating(model):
        ...     model[1].training
        False
        >>> [module.training for module in model.modules()]
        [True, False, True]
    """
    before = {below: below.training for module in modules for below in module.modules()}
    set_modes(dict.fromkeys(before, False))
    try:
        yield
    finally:
        set_modes(before)
        for module, mode in before.items():  # exactly, whatever a class's own `train` did
            module.training = mode


@contextmanager
def without_batch_statistics(*modules: nn.Module) -> Iterator[None]:
    """Let the batch norms in `modules` use their running statistics: a single row has no statistics of its own."""
    norms = [below for module in modules for below in module.modules() if isinstance(below, _BatchNorm)]
    with evaluating(*(norm for norm in norms if norm.training)):
        yield
