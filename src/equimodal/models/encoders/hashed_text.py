"""Text by hashed words and character n-grams, averaged: no vocabulary, no download."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.data.columns.base import Column, Spec
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.known import upload
from equimodal.models.encoders.base import ENCODERS, Encoder

_WORD = re.compile(r"\w+", re.UNICODE)


def _grams(text: str, shortest: int, longest: int) -> Iterator[str]:
    for word in _WORD.findall(text.lower()):
        marked = f"<{word}>"
        yield marked
        for size in range(shortest, longest + 1):
            if size < len(marked):  # the whole word is there already
                yield from (marked[i : i + size] for i in range(len(marked) - size + 1))


def hash_text(text: str, buckets: int, shortest: int, longest: int, limit: int) -> list[int]:
    """Return the bucket numbers of a text, from 1 to `buckets`, at most `limit` of them.

    Each word and each of its character n-grams ("<" and ">" mark the word's ends) gives one number by CRC-32, the same
    in every process.

    Example:
        >>> [len(hash_text(text, buckets=100, shortest=3, longest=3, limit=10)) for text in ("a cat", "")]
        [5, 0]
    """
    grams = itertools.islice(_grams(text, shortest, longest), limit)
    return [1 + zlib.crc32(gram.encode()) % buckets for gram in grams]


@ENCODERS.register("hashed_text")
class HashedText(Encoder):
    """Mean of the embeddings of a text's hashed words and character n-grams, then a small perceptron.

    The embedding follows fastText (Bojanowski et al., 2017, "Enriching word vectors with subword information").

    Shapes: an array of strings (B,), or their bucket numbers (B, L) padded with 0, to (B, width).

    Args:
        width: size of the encoding.
        buckets: number of hash buckets.
        shortest: characters of the shortest n-gram.
        longest: characters of the longest n-gram.
        limit: largest number of n-grams read from one text.
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
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return nothing: hashing needs to know nothing of the texts."""
        return {}

    def prepare(self, column: Column) -> Column:
        """Return the texts' bucket numbers, as many as each text has; numbers pass unchanged."""
        if column.spec.dtype.kind != "T":
            return column
        dtype = np.min_scalar_type(self.hashing[0])
        numbers, counts = [np.empty(0, dtype)], [0]
        for rows in column.ranges():
            hashed = [hash_text(text, *self.hashing) for text in cast(np.ndarray, column.take(rows)).tolist()]
            numbers.append(np.fromiter(itertools.chain.from_iterable(hashed), dtype))
            counts += map(len, hashed)
        # The order in which torch adds gradients up depends on the padding: always the same, so that batches do not
        # differ in it. It is at most the limit.
        return RaggedColumn(np.concatenate(numbers), np.cumsum(counts), column.spec.kind, padded_to=max(1, *counts))

    def forward(self, x: Tensor | np.ndarray, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        if isinstance(x, np.ndarray):
            rows = [torch.tensor(hash_text(str(text), *self.hashing), dtype=torch.int64) for text in x]
            # One column at least: an empty bag of the embedding has the mean 0.
            ids = nn.utils.rnn.pad_sequence([torch.zeros(1, dtype=torch.int64), *rows], batch_first=True)[1:]
            x = upload(ids, self.embedding.weight.device)
        return self.project(self.embedding(x))
