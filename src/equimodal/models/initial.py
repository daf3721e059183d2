"""Initial weights that depend on a modality's name, and not on the order in which the modalities come."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from equimodal.seeds import seeded

LARGEST = 2**62


def for_each(names: Sequence[str], make: Callable[[str], nn.Module]) -> nn.ModuleDict:
    """Return a new module for each name.

    Its initial weights depend on its name and on the state of torch's generator, not on the other names or their order.
    The generator moves by one number.

    Example:
        >>> with seeded(0):
        ...     one = for_each(["a", "b"], lambda name: nn.Linear(2, 2))
        >>> with seeded(0):
        ...     other = for_each(["c", "b", "a"], lambda name: nn.Linear(2, 2))
        >>> torch.equal(one["a"].weight, other["a"].weight), torch.equal(one["a"].weight, one["b"].weight)
        (True, False)
    """
    base = int(torch.randint(LARGEST, ()))
    modules = {}
    for name in names:
        with seeded(base, name):
            modules[name] = make(name)
    return nn.ModuleDict(modules)


@torch.no_grad()
def draw_blocks(layer: nn.Linear, inputs: Sequence[str], outputs: Sequence[str] | None = None) -> nn.Linear:
    """Draw new weights of a linear layer, block by block, so that each block depends on the names that it is of.

    They are uniform in +-1 / sqrt(inputs), as torch draws them.

    Args:
        layer: it reads one encoding for each input, side by side.
        inputs: names of the inputs.
        outputs: names of the output units; None: the units belong to no modality.

    Example:
        >>> def drawn(names):
        ...     with seeded(0):
        ...         return draw_blocks(nn.Linear(4, 3), names).weight
        >>> torch.equal(drawn(["a", "b"])[:, :2], drawn(["b", "a"])[:, 2:])
        True
    """
    base = int(torch.randint(LARGEST, ()))
    bound = 1 / math.sqrt(layer.in_features)
    blocks = layer.weight.unflatten(1, (len(inputs), -1))  # (units, inputs, width)
    for i, name in enumerate(inputs):
        if outputs is None:
            with seeded(base, name):
                blocks[:, i].uniform_(-bound, bound)
        else:
            for j, unit in enumerate(outputs):
                with seeded(base, unit, name):
                    blocks[j, i].uniform_(-bound, bound)
    if outputs is not None:
        for j, unit in enumerate(outputs):
            with seeded(base, unit):
                layer.bias[j].uniform_(-bound, bound)
    return layer
