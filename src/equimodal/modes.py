"""Evaluation mode for a while: every submodule gets its own mode back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
    flags = [(each, each.training) for module in modules for each in module.modules()]
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for each, flag in flags:
            each.training = flag
