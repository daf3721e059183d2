"""Standardisation of inputs in any unit: statistics gathered by chunks in float64."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

OFFSET = 1e3
"""From so many standard deviations between a column and 0 on, float32 blurs the values: they are centred in float64."""

LARGEST = 1e30
"""Deviations above it, or below its inverse, are too near the ends of float32: a power of two brings them to 1."""

ROUNDING = 2
"""A deviation of so many roundings of the mean in the type that is stored is no information."""


class Standardise(nn.Module):
    r"""Subtract the mean and divide by the standard deviation of each column (last axis) of the training rows.

    The result does not depend on the unit: $x$ and $a x + b$ give the same but for rounding. A column that is constant,
    or constant but for the rounding of its type, gives 0, in other data too.

    Where float32 would lose a column, with a deviation at the ends of its range or values far from 0, a power of 2 and
    an offset are taken off in float64 first; `needs_double` says that inputs should come as such. The statistics are
    buffers, saved with the model.

    Args:
        features: number of columns.

    Example:
        >>> standardise = Standardise(2)
        >>> standardise.fit([np.array([[1.0, 1.7e9], [3.0, 1.7e9 + 2]])])
        >>> x = torch.tensor([[1.0, 1.7e9], [3.0, 1.7e9 + 2]], dtype=torch.float64)
        >>> standardise.needs_double, standardise(x).tolist()
        (True, [[-1.0, -1.0], [1.0, 1.0]])
    """

    mean: Tensor
    std: Tensor
    offset: Tensor
    exponent: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.register_buffer("offset", torch.zeros(features))
        self.register_buffer("exponent", torch.zeros(features, dtype=torch.int32))

    def fit(self, chunks: Iterable[np.ndarray]) -> None:
        """Set the statistics from chunks (..., features) of the training rows, by one pass over them.

        Source: Chan, Golub, LeVeque, 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
        """
        count, mean, squares = 0, np.zeros(len(self.mean)), np.zeros(len(self.mean))
        low, high, rounding = np.full(len(mean), np.inf), np.full(len(mean), -np.inf), np.finfo(np.float64).eps
        origin = None  # a row, taken off the others: sums of large values lose their last digits
        for chunk in chunks:
            # One column after the other in memory: sums along it are fast, and pairwise.
            rows = np.array(np.asarray(chunk).reshape(-1, len(mean)).T, np.float64, order="C")
            if not rows.size:
                continue
            if chunk.dtype.kind == "f":
                rounding = max(rounding, np.finfo(chunk.dtype).eps)
            if origin is None:
                origin = rows[:, 0].copy()
            rows -= origin[:, None]
            low, high = np.minimum(low, rows.min(1)), np.maximum(high, rows.max(1))
            of_chunk = rows.mean(1)
            rows -= of_chunk[:, None]
            apart, total = of_chunk - mean, count + rows.shape[1]
            squares += np.square(rows, out=rows).sum(1) + np.square(apart) * (count * rows.shape[1] / total)
            mean += apart * (rows.shape[1] / total)
            count = total
        if origin is None:
            return
        std = np.sqrt(squares / count)
        constant = (low == high) | (std <= ROUNDING * rounding * np.abs(origin + mean))
        self._set(origin, np.where(low == high, low, mean), np.where(constant, np.inf, std))

    def _set(self, origin: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        """Set the buffers; the mean is seen from the origin."""
        varies = np.isfinite(std)
        extreme = varies & ((std > LARGEST) | (std < 1 / LARGEST))
        exponent = np.where(extreme, np.frexp(np.where(extreme, std, 1.0))[1], 0)
        origin, mean, std = (np.ldexp(values, -exponent) for values in (origin, mean, std))
        whole = origin + mean
        offset = np.where(varies & (np.abs(whole) > OFFSET * std), whole.astype(np.float32), 0.0)
        self.offset.copy_(torch.from_numpy(offset))
        self.exponent.copy_(torch.from_numpy(exponent))
        self.mean.copy_(torch.from_numpy((origin - offset) + mean))
        self.std.copy_(torch.from_numpy(std))

    @property
    def needs_double(self) -> bool:
        """Whether float32 would lose some column, so that inputs should come in float64."""
        return bool((self.offset != 0).any() or (self.exponent != 0).any())

    def forward(self, x: Tensor) -> Tensor:
        """Return the standardised values, float32."""
        if x.dtype == torch.float64:
            x = x * 2.0 ** -self.exponent.double() - self.offset
            return ((x - self.mean) / self.std).float()
        scale = 2.0 ** self.exponent.float()
        return (x.float() - (self.offset + self.mean) * scale) / (self.std * scale)
