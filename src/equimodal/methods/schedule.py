"""In which order modalities are visited, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from equimodal.errors import ConfigError, did_you_mean
from equimodal.known import HostBuffers

if TYPE_CHECKING:
    from equimodal.contribution.result import Contribution


class Schedule(HostBuffers):
    """An order of the modalities, updated after each epoch with the contributions measured on validation.

    Its buffers are its state.

    Args:
        modalities: names.
        initial: the order of the first epoch; by default as declared.

    Raises:
        ConfigError: a name occurs twice, or `initial` does not name each modality once.
    """

    order_index: Tensor
    hosted: ClassVar[tuple[str, ...]] = ("order_index",)

    def __init__(self, modalities: Sequence[str], initial: Sequence[str] | None = None) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        if len(set(self.modalities)) < len(self.modalities):
            raise ConfigError(
                f"A schedule needs modalities that differ in name, got {', '.join(self.modalities)}. Name each once."
            )
        self.register_buffer("order_index", torch.arange(len(self.modalities)))
        if initial is not None:
            if sorted(initial) != sorted(self.modalities):
                raise ConfigError(
                    f"An order must name each modality once: expected some order of "
                    f"{', '.join(self.modalities)}; got {', '.join(initial)}."
                )
            self._set(initial)

    @property
    def order(self) -> tuple[str, ...]:
        """The order of the coming epoch."""
        return tuple(self.modalities[i] for i in self.order_index.tolist())

    def _set(self, names: Sequence[str]) -> None:
        self.order_index.copy_(torch.tensor([self.modalities.index(name) for name in names]))

    def update(self, contribution: Contribution) -> None:
        """Choose the next epoch's order from what was measured after this one."""


class FixedOrder(Schedule):
    """Always the initial order."""


class WeakToStrong(Schedule):
    """Ascending share of the contribution: the weakest modality first.

    Undefined shares (a model no better than the prior) leave the order as it is.

    Args:
        modalities: names.
        initial: the order of the first epoch; by default as declared.
        hysteresis: two neighbours change places only when their shares differ by more than this many bootstrap
            standard errors of the difference (ours). Where the validation data have groups, the errors are those of
            whole groups. 0 sorts without regard to noise, ties by name.
        smoothing: weight of the past in an exponential average of the shares (ours), in [0, 1).

    Raises:
        ConfigError: a name occurs twice, `initial` does not name each once, or a number is out of its range.

    Example:
        >>> schedule = WeakToStrong(["audio", "image"])
        >>> schedule.order
        ('audio', 'image')

    Source: Shi et al., arXiv 2506.00030, schedule.
    """

    sign = 1.0
    smoothed: Tensor
    hosted = ("order_index", "smoothed")

    def __init__(
        self,
        modalities: Sequence[str],
        initial: Sequence[str] | None = None,
        hysteresis: float = 1.0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(modalities, initial)
        problems = [
            f"{option}: expected a number {expected}, got {value!r}."
            for option, value, expected, below in (
                ("hysteresis", hysteresis, "from 0 up (standard errors)", math.inf),
                ("smoothing", smoothing, "from 0 to below 1 (the weight of the past)", 1),
            )
            if not isinstance(value, Real) or not 0 <= value < below
        ]
        if problems:
            raise ConfigError(problems)
        self.hysteresis = hysteresis
        self.smoothing = smoothing
        self.register_buffer("smoothed", torch.full((len(self.modalities),), torch.nan, dtype=torch.float64))

    def update(self, contribution: Contribution) -> None:
        """Sort by the (smoothed) shares, where they differ by more than their noise.

        Raises:
            ConfigError: the contribution is of other modalities.
        """
        if set(contribution.modalities) != set(self.modalities):
            raise ConfigError(
                f"The schedule orders {', '.join(self.modalities)}, but the contribution is of "
                f"{', '.join(contribution.modalities)}. Give one that was measured on the same modalities."
            )
        if contribution.shares is None:
            return
        shares = self.smoothed.new_tensor([contribution.shares[m] for m in self.modalities])
        past = torch.where(self.smoothed.isnan(), shares, self.smoothed)
        self.smoothed.copy_(self.smoothing * past + (1 - self.smoothing) * shares)
        strength = {m: self.sign * s for m, s in zip(self.modalities, self.smoothed.tolist(), strict=True)}
        if self.hysteresis == 0:
            self._set(sorted(self.modalities, key=lambda m: (strength[m], m)))
            return
        order = list(self.order)
        swapped = True
        while swapped:  # each swap removes an inversion, so this ends
            swapped = False
            for i in range(len(order) - 1):
                first, second = order[i], order[i + 1]
                noise = contribution.share_difference_error(first, second) or 0.0
                if strength[first] - strength[second] > self.hysteresis * noise:
                    order[i], order[i + 1] = second, first
                    swapped = True
        self._set(order)


class StrongToWeak(WeakToStrong):
    """Descending share of the contribution: the strongest modality first. For order analysis."""

    sign = -1.0


class RandomOrder(Schedule):
    """A new random order each epoch, from a seed. For order analysis.

    Args:
        modalities: names.
        initial: the order of the first epoch; by default as declared.
        seed: seed of the sequence of orders.
    """

    epochs: Tensor
    hosted = ("order_index", "epochs")

    def __init__(self, modalities: Sequence[str], initial: Sequence[str] | None = None, seed: int = 0) -> None:
        super().__init__(modalities, initial)
        self.seed = seed
        self.register_buffer("epochs", torch.zeros((), dtype=torch.long))

    def update(self, contribution: Contribution) -> None:
        """Draw the next order."""
        self.epochs += 1
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + int(self.epochs))
        self.order_index.copy_(torch.randperm(len(self.modalities), generator=generator))


STRATEGIES = ("weak_to_strong", "strong_to_weak", "random", "fixed")


def make_schedule(
    strategy: str,
    modalities: Sequence[str],
    *,
    initial: Sequence[str] | None = None,
    hysteresis: float = 1.0,
    smoothing: float = 0.0,
    seed: int = 0,
) -> Schedule:
    """Return the schedule called `strategy`.

    Raises:
        ConfigError: no strategy has that name.
    """
    if strategy == "weak_to_strong":
        return WeakToStrong(modalities, initial, hysteresis, smoothing)
    if strategy == "strong_to_weak":
        return StrongToWeak(modalities, initial, hysteresis, smoothing)
    if strategy == "random":
        return RandomOrder(modalities, initial, seed)
    if strategy == "fixed":
        return FixedOrder(modalities, initial)
    raise ConfigError(f"method.order: unknown strategy '{strategy}'.{did_you_mean(strategy, STRATEGIES)}")
