"""The losses of the last steps, which stay on the device until they are read together, and their sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equimodal.errors import NOT_FINITE, Diverged

READ_EVERY = 50
"""Batches from one reading to the next. Reading waits for the device: seldom is cheap, and not too late to stop."""


@dataclass
class Tally:
    """Sums over an epoch: the loss terms, how often each counted, and the steps of each modality."""

    losses: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    updates: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add_losses(self, losses: Iterable[tuple[str, float]]) -> None:
        """Count loss terms by name."""
        for name, value in losses:
            self.losses[name] = self.losses.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def add_update(self, modalities: tuple[str, ...]) -> None:
        """Count a step of these modalities."""
        for name in modalities:
            self.updates[name] = self.updates.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Return the mean of each term over its updates."""
        return {name: total / self.counts[name] for name, total in self.losses.items()}


class UnreadLosses:
    """Losses of steps that have been taken, not yet read: reading one would wait for the device.

    Example:
        >>> unread = UnreadLosses()
        >>> unread.add(1, {"fused": torch.tensor(0.5)})
        >>> unread.add(2, {"fused": torch.tensor(0.25)})
        >>> unread.read(), unread.read()
        ([('fused', 0.5), ('fused', 0.25)], [])
    """

    def __init__(self) -> None:
        self._found: list[tuple[int, str, Tensor]] = []
        self._since = 0

    def add(self, batch: int, losses: Mapping[str, Tensor]) -> None:
        """Keep the losses of a step, each (), and the number of its batch."""
        self._found += [(batch, name, loss) for name, loss in losses.items()]

    def batch_ends(self) -> bool:
        """Count a batch; return whether it is time to read."""
        self._since += 1
        return self._since >= READ_EVERY

    def read(self) -> list[tuple[str, float]]:
        """Return the losses by name, in order, and forget them; all of them take one transfer.

        Raises:
            Diverged: one is not finite; the message names the first, and its batch.
        """
        found, self._found, self._since = self._found, [], 0
        if not found:
            return []
        values: list[float] = torch.stack([loss for _, _, loss in found]).tolist()
        for (batch, name, _), value in zip(found, values, strict=True):
            if not math.isfinite(value):
                raise Diverged(f"batch {batch}: the loss '{name}' became {value}. {NOT_FINITE}")
        return [(name, value) for (_, name, _), value in zip(found, values, strict=True)]
