"""Batches that other processes read ahead."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from equimodal.batch import Batch
from equimodal.errors import EquimodalError


class Source(Protocol):
    """What gives a batch for row numbers."""

    def batch(self, indices: Any) -> Batch:
        """Return these rows."""
        ...


class _Parts(Dataset[Batch | EquimodalError]):
    """Batches by number, as torch's loader asks for them; a user's mistake is returned, not raised.

    The loader would put its own traceback into the message.
    """

    def __init__(self, source: Source, parts: Sequence[np.ndarray]) -> None:
        self.source, self.parts = source, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: int) -> Batch | EquimodalError:
        try:
            return self.source.batch(self.parts[number])
        except EquimodalError as error:
            return error


def load_batches(source: Source, parts: Sequence[np.ndarray], workers: int = 0) -> Iterator[Batch]:
    """Yield the batch of each part, in order.

    Args:
        source: where the rows are read.
        parts: the row numbers of each batch.
        workers: processes that read ahead; 0: this process reads when it is asked.
    """
    if workers == 0 or len(parts) < 2:
        yield from (source.batch(rows) for rows in parts)
        return
    # The loader draws a seed for its workers: from a generator of its own, so that the global one does not move.
    loader = DataLoader(
        _Parts(source, parts),
        batch_size=None,
        num_workers=min(workers, len(parts)),
        collate_fn=_unchanged,
        generator=torch.Generator(),
        multiprocessing_context=_start_method(),
    )
    for found in loader:
        if isinstance(found, EquimodalError):
            raise found
        yield found


def _start_method() -> str | None:
    """Return how the loader starts its processes; None: as Python's multiprocessing is set.

    In a process of a parallel comparison that is joblib's own way, which the loader cannot use.
    """
    known = multiprocessing.get_all_start_methods()
    return None if multiprocessing.get_start_method() in known else known[0]


def _unchanged(batch: Any) -> Any:
    return batch
