"""Text by hashed words and character n-grams, averaged: no vocabulary, no download."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS, Encoder

_WORD = re.compile(r"\w+", re.UNICODE)


def _grams(text: str, shortest: int, longest: int) -> Iterator[str]:
    for word in _WORD.findall(text.lower()):
        marked = f"<{word}>"
        yield marked
        for size in range(shortest, longest + 1):
            if size < len(marked):  # the whole word is there already
                yield from (marked[i : i + size] for i in range(len(marked) - size + 1))


def hash_text(texts: Sequence[str], buckets: int, shortest: int, longest: int, limit: int) -> np.ndarray:
    """Return bucket numbers (N, L) in 1 .. ``buckets``, padded with 0.

    Each word and each of its character n-grams ("<" and ">" mark the word's ends) gives one number by CRC-32,
    the same in every process.

    Example:
        >>> hash_text(["a cat", ""], buckets=100, shortest=3, longest=3, limit=10).shape
        (2, 5)
    """
    rows = [
        [1 + zlib.crc32(gram.encode()) % buckets for gram in _grams(text, shortest, longest)][:limit] for text in texts
    ]
    ids = np.zeros((len(rows), max([1, *map(len, rows)])), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids


@ENCODERS.register("hashed_text")
class HashedText(Encoder):
    """Mean of the embeddings of a text's hashed words and character n-grams, then a small perceptron.

    The embedding follows fastText (Bojanowski et al., 2017, "Enriching word vectors with subword information").

    Shapes: an array of strings (B,), or bucket numbers (B, L) from :meth:`prepare`, to (B, width).

    Args:
        width: size of the encoding.
        buckets: number of hash buckets.
        shortest: characters of the shortest n-gram.
        longest: characters of the longest n-gram.
        limit: most n-grams read of one text.
        hidden: size of the embeddings.
        dropout: probability of dropping an averaged value while training.

    Example:
        >>> HashedText(width=8)(np.array(["a cat", "two dogs"])).shape
        torch.Size([2, 8])
    """

    kinds = ("text",)

    def __init__(
        self,
        width: int = 64,
        buckets: int = 8192,
        shortest: int = 3,
        longest: int = 4,
        limit: int = 512,
        hidden: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(
            width=width,
            buckets=buckets,
            shortest=shortest,
            longest=longest,
            limit=limit,
            hidden=hidden,
            dropout=dropout,
        )
        self.hashing = (buckets, shortest, longest, limit)
        self.embedding = nn.EmbeddingBag(buckets + 1, hidden, mode="mean", padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.1)  # below torch's 1: learnt parts outweigh chance sooner
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        self.project = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    @classmethod
    def describe(cls, values: np.ndarray) -> dict[str, Any]:
        """Return nothing: hashing needs to know nothing of the texts."""
        return {}

    def prepare(self, values: Any) -> Any:
        """Return bucket numbers (N, L) of an array of strings; numbers pass unchanged."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "UO":
            return hash_text([str(text) for text in values], *self.hashing)
        return values

    def forward(self, x: Tensor | np.ndarray, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        if isinstance(x, np.ndarray):
            x = torch.from_numpy(self.prepare(x)).to(self.embedding.weight.device)
        return self.project(self.embedding(x))
