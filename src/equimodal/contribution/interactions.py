"""Synergy and redundancy between two modalities, from the same coalition table as the Shapley values."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equimodal.contribution.coalitions import MAX_EXACT, all_coalitions
from equimodal.contribution.shapley import gains
from equimodal.errors import DataError


def interaction_index(values: Tensor) -> Tensor:
    r"""Return the pairwise Shapley interaction index: above 0 synergy, below 0 redundancy.

    $$I_{ij} = \sum_{S \not\ni i,j} \frac{|S|!\,(n - |S| - 2)!}{(n - 1)!}
    \bigl(v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)\bigr)$$

    Args:
        values: v(S) for all coalitions (..., 2**n), in the order of
            `equimodal.contribution.all_coalitions`; leading dimensions are kept.

    Returns:
        float64 (..., n, n), symmetric, with zeros on the diagonal.

    Raises:
        DataError: the number of values is not 2**n for an n of 2 to 10.

    Example:
        >>> interaction_index(torch.tensor([0.0, 0.5, 0.5, 0.75])).tolist()  # redundant in part
        [[0.0, -0.25], [-0.25, 0.0]]

    Source: Grabisch and Roubens, "An axiomatic approach to the concept of interaction among players in
    cooperative games" (1999); its use beside EDM is ours.
    """
    count = values.shape[-1] if values.ndim else 0
    n = count.bit_length() - 1
    if not 2 <= n <= MAX_EXACT or count != 2**n:
        raise DataError(
            f"Expected the values of all 2**n coalitions, n from 2 to {MAX_EXACT}, in the last dimension, "
            f"got {tuple(values.shape)}. Interactions are not estimated from sampled coalitions."
        )
    members = all_coalitions(n).T
    inside = members.unsqueeze(0).long() + members.unsqueeze(1)  # (n, n, K): how many of i and j are in S
    sign = 1.0 - 2.0 * (inside == 1)
    weight = torch.tensor([1 / ((n - 1) * math.comb(n - 2, others)) for others in range(n - 1)], dtype=torch.float64)
    others = (members.sum(0) - inside).clamp(0, n - 2)  # out of range only on the diagonal, which is cleared
    operator = sign * weight[others] * ~torch.eye(n, dtype=torch.bool).unsqueeze(-1)
    return torch.einsum("ijk,...k->...ij", operator, gains(values))
