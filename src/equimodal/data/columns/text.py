"""Strings of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from equimodal.data.columns.base import Column, Selection, Spec, checksum_of

TEXT = np.dtypes.StringDType()
"""Strings that take what they are long: one long text among many does not widen the others."""


class TextColumn(Column):
    """Strings (N,).

    Args:
        texts: the strings, an array or a list.

    Example:
        >>> TextColumn(["a dog", "a cat"]).take(slice(1, 2)).tolist()
        ['a cat']
    """

    def __init__(self, texts: np.ndarray | Sequence[str]) -> None:
        self.texts = np.asarray(texts, TEXT)

    @property
    def spec(self) -> Spec:
        """Text, which has no shape."""
        return Spec("text", (), self.texts.dtype)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Selection) -> np.ndarray:
        """Return strings (n,), of NumPy's variable-width type."""
        return self.texts[rows]

    def fingerprint(self) -> str:
        """Return a checksum of the strings."""
        return checksum_of(self._content())

    def _content(self) -> Iterator[bytes]:
        for text in self.texts:
            plain = text.encode("utf-8", "surrogatepass")
            yield f"{len(plain)} ".encode()
            yield plain

    def sizes(self) -> np.ndarray:
        """Return how many letters each text has; an empty one counts as one."""
        return np.maximum(np.strings.str_len(self.texts), 1)
