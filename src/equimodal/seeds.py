"""Randomness derived from what is being done, so that a resumed run draws the same numbers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CPU = torch.device("cpu")
_ONE_AT_A_TIME = threading.RLock()


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, independent of all others.

    Example:
        >>> derive_seed(0, "order", 3) == derive_seed(0, "order", 3) != derive_seed(0, "order", 4)
        True
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed torch's global generators of the CPU and of `device`.

    On a CPU that is what `torch.manual_seed` does, without the stack trace that it keeps for a GPU to come.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@contextmanager
def seeded(seed: int, *purpose: str | int, device: torch.device = CPU) -> Iterator[None]:
    """Seed torch's global generators for one purpose; afterwards they are as they were.

    Torch has one generator for all threads. Threads therefore take turns here: what one draws inside the block does not
    depend on the others, as long as they draw inside such blocks too.

    Example:
        >>> with seeded(0, "weights"):
        ...     first = torch.rand(3)
        >>> with seeded(0, "weights"):
        ...     torch.equal(first, torch.rand(3))
        True
    """
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        seed_torch(derive_seed(seed, *purpose), device)
        yield


def permutation(samples: int, seed: int, *purpose: str | int) -> torch.Tensor:
    """Return a random order of `samples` rows (samples,) for one purpose."""
    generator = torch.Generator().manual_seed(derive_seed(seed, *purpose))
    return torch.randperm(samples, generator=generator)


def some_rows(samples: int, most: int, seed: int, *purpose: str | int) -> torch.Tensor:
    """Return at most `most` of `samples` rows for one purpose, in ascending order.

    Example:
        >>> len(some_rows(10, 3, 0, "shown")), some_rows(3, 10, 0, "shown").tolist()
        (3, [0, 1, 2])
    """
    return permutation(samples, seed, *purpose)[:most].sort().values
