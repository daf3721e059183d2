"""Coalitions of modalities: every one of them, or those that random orders pass through."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equimodal.errors import ConfigError

MAX_EXACT = 10
"""The largest number of modalities whose 2**n coalitions are all evaluated."""


def all_coalitions(n: int) -> Tensor:
    """Return every subset of `n` modalities. Row k is the bit mask k; bit i is modality i.

    Row 0 is the empty coalition, the last row the grand one.

    Args:
        n: the number of modalities, 1 to 10.

    Returns:
        bool (2**n, n).

    Raises:
        ConfigError: `n` is out of range.

    Example:
        >>> all_coalitions(2).int().tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    if not 1 <= n <= MAX_EXACT:
        raise ConfigError(
            f"The exact table needs 1 to {MAX_EXACT} modalities, got {n}. "
            "Above that, sample coalitions: plan(n, budget=...)."
        )
    return (torch.arange(2**n).unsqueeze(-1) >> torch.arange(n)).bitwise_and(1).bool()


def bit_masks(coalitions: Tensor) -> Tensor:
    """Return the row number of each coalition in `all_coalitions`: bool (K, n) -> int64 (K,).

    Example:
        >>> bit_masks(torch.tensor([[True, True], [False, True]])).tolist()
        [3, 2]
    """
    return (coalitions.long() << torch.arange(coalitions.shape[-1])).sum(-1)


def coalition_name(members: Tensor, modalities: Sequence[str]) -> str:
    """Return a coalition's name, such as `"audio+image"`; the empty one is `""`.

    Example:
        >>> coalition_name(torch.tensor([True, False, True]), ["audio", "text", "image"])
        'audio+image'
    """
    return "+".join(name for name, inside in zip(modalities, members.tolist(), strict=True) if inside)


def antithetic_permutations(n: int, pairs: int, seed: int) -> Tensor:
    """Draw `pairs` random orders of `n` modalities, each followed by its reverse.

    Returns:
        int64 (pairs, 2, n).

    Example:
        >>> orders = antithetic_permutations(4, pairs=3, seed=0)
        >>> bool((orders[:, 0] == orders[:, 1].flip(-1)).all())
        True
    """
    generator = torch.Generator().manual_seed(seed)
    forward = torch.rand(pairs, n, generator=generator, dtype=torch.float64).argsort(-1)
    return torch.stack([forward, forward.flip(-1)], dim=1)


def prefixes(permutations: Tensor) -> Tensor:
    """Return the coalitions that each order passes through, from the empty one to the grand one.

    Args:
        permutations: int64 (..., n).

    Returns:
        bool (..., n + 1, n).

    Example:
        >>> prefixes(torch.tensor([1, 0])).int().tolist()
        [[0, 0], [0, 1], [1, 1]]
    """
    rank = permutations.argsort(-1).unsqueeze(-2)
    return rank < torch.arange(permutations.shape[-1] + 1).unsqueeze(-1)
