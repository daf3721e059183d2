"""WordLlama's static embeddings of tokens, averaged, as an encoder: `benchmarks.accuracy.wordllama:WordLlama`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from benchmarks.accuracy.frozen import Frozen
from equimodal.data.columns.base import Column, Spec, checksum_of
from equimodal.errors import ConfigError
from equimodal.models.pretrained.processed import Fields, ProcessedColumn
from equimodal.models.pretrained.running import IDS, MASK


class Numbers:
    """Makes token numbers of texts, without special tokens."""

    ragged = frozenset({IDS, MASK})

    def __init__(self, path: Path) -> None:
        self.tokeniser = Tokenizer.from_file(str(path))

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return the numbers (tokens,) of each text; an empty text has the number 0, which stands for the unknown."""
        ids = [np.array(self.tokeniser.encode(str(text), add_special_tokens=False).ids or [0]) for text in rows]
        return {IDS: ids, MASK: [np.ones(len(row), np.int64) for row in ids]}

    def identity(self) -> dict[str, Any]:
        """Return the tokeniser's checksum."""
        return {"tokeniser": checksum_of([self.tokeniser.to_str()])}


class WordLlama(Frozen):
    """The mean of a text's token embeddings (256 numbers, 8 million parameters), frozen.

    Args:
        model: the folder that `tools/build_weights.py` makes.
        width: size of the encoding.
    """

    kinds = ("text",)

    def __init__(self, model: str, width: int = 64) -> None:
        folder = Path(model).resolve()
        files = [folder / "embedding.safetensors", folder / "tokenizer.json"]
        if lacking := [path.name for path in files if not path.is_file()]:
            raise ConfigError(
                f"model: {folder} has no {' and no '.join(lacking)}. Make it with tools/build_weights.py."
            )
        table = load_file(files[0])["embedding.weight"].float()
        super().__init__(table.shape[1], width, model=str(folder))
        self.source = folder.name
        self.base = nn.Embedding.from_pretrained(table)
        self.process = Numbers(files[1])

    @classmethod
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return nothing: any texts will do."""
        return {}

    def prepare(self, column: Column) -> Column:
        """Return texts as token numbers."""
        return column if column.spec.fields is not None else ProcessedColumn(column, self.process)

    def base_identity(self) -> dict[str, Any]:
        """Return embeddings and tokeniser."""
        return super().base_identity() | {"preprocessing": self.process.identity()}

    def features_of_rows(self, rows: list[Any]) -> list[Tensor]:
        """Return the mean embedding of each text."""
        device = self.norm.weight.device
        return [self._mean(torch.from_numpy(ids).to(device)) for ids in self.process(rows)[IDS]]

    def features_of_batch(self, x: Any, lengths: Tensor | None) -> list[Tensor]:
        """Return the mean embedding of each row of token numbers, or of each text."""
        if not isinstance(x, dict):
            return super().features_of_batch(x, lengths)
        return [self._mean(ids[valid]) for ids, valid in zip(x[IDS], x[MASK].bool(), strict=True)]

    def _mean(self, ids: Tensor) -> Tensor:
        return self.base(ids).mean(0)
