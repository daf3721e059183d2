"""From one vector a token to one vector a row."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["mean", "cls", "last", "attention"]


def pool(tokens: Tensor, mask: Tensor | None, how: Pooling) -> Tensor:
    r"""Return one vector a row.

    With the valid tokens $h_t$ of a row: `mean` is $\frac{1}{T} \sum_t h_t$, `cls` the first, `last` the last one.
    Tokens may be padded on either side.

    Args:
        tokens: (B, T, D).
        mask: valid tokens, bool (B, T); None: all.
        how: "mean", "cls" or "last".

    Returns:
        (B, D).

    Example:
        >>> tokens = torch.tensor([[[1.0], [3.0], [9.0]]])
        >>> right = torch.tensor([[True, True, False]])
        >>> [pool(tokens, right, how).item() for how in ("mean", "cls", "last")]
        [2.0, 1.0, 3.0]
    """
    if mask is None:
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    if how == "mean":
        # In float32 also where the model computes in bfloat16: long sums lose digits.
        return _valid(tokens, mask).sum(1, dtype=torch.float32) / mask.sum(1, keepdim=True).clamp(min=1)
    places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(mask)
    if how == "last":
        chosen = places.masked_fill(~mask, -1).amax(1).clamp(min=0)
    else:
        chosen = places.masked_fill(~mask, tokens.shape[1]).amin(1).clamp(max=tokens.shape[1] - 1)
    return tokens[torch.arange(len(tokens), device=tokens.device), chosen]


class AttentionPool(nn.Module):
    r"""A weighted mean of the tokens, with weights that are learnt.

    $\sum_t a_t h_t$ with $a = \mathrm{softmax}_t(q \cdot h_t / \sqrt{D})$ over the valid tokens. At the start $q = 0$:
    the mean.

    Args:
        size: D, size of a token.

    Example:
        >>> AttentionPool(2)(torch.tensor([[[1.0, 0.0], [3.0, 2.0]]])).tolist()
        [[2.0, 1.0]]
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(size))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (B, D) from tokens (B, T, D) and the mask of the valid ones (B, T)."""
        scores = tokens @ self.query / math.sqrt(tokens.shape[-1])
        if mask is not None:
            tokens, scores = _valid(tokens, mask), scores.masked_fill(~mask, -torch.inf)
        return (scores.softmax(1).unsqueeze(-1) * tokens).sum(1)


def _valid(tokens: Tensor, mask: Tensor) -> Tensor:
    """Return tokens with zeros for those that are not valid: a model may leave NaN there."""
    return tokens.masked_fill(~mask.unsqueeze(-1), 0)
