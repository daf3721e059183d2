"""Rows as a model takes them, processed when they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from equimodal.batch import moved
from equimodal.data.columns.base import CHUNK, Column, Rectangle, Selection, Spec, checksum_of

Fields = dict[str, list[np.ndarray]]
"""By name, one array for each row."""

PROCESSOR, TOKENISER, TEMPLATE = "preprocessor_config.json", "tokenizer.json or its vocabulary", "chat template"
"""What the files of a model are called in identities, and so in messages."""


class Process(Protocol):
    """What makes a model's inputs of stored rows. It is pickled where workers load the data."""

    @property
    def ragged(self) -> frozenset[str]:
        """Names of the inputs whose first axis varies from row to row."""
        ...

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return the model's inputs for some rows, each on its own."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the inputs, JSON-safe; what a file of the model says under its name."""
        ...


class ProcessedColumn(Column):
    """The rows of another column as a model takes them: several arrays by name.

    Args:
        source: the column.
        process: makes the model's inputs of rows.
    """

    def __init__(self, source: Column, process: Process) -> None:
        self.source, self.process = source, process
        example = process([_example(source.spec)])
        self._fields = {
            name: Spec("tensor", (None, *rows[0].shape[1:]) if name in process.ragged else rows[0].shape, rows[0].dtype)
            for name, rows in example.items()
        }

    @property
    def spec(self) -> Spec:
        """One array by name for each of the model's inputs."""
        return Spec(self.source.spec.kind, (), np.dtype("V"), self._fields)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Selection) -> dict[str, Rectangle]:
        """Return the model's inputs of the rows asked for."""
        read = list(self.source.take(rows))
        found = self.process(read) if read else {name: [] for name in self._fields}
        return {name: self._rectangle(name, values) for name, values in found.items()}

    def _rectangle(self, name: str, values: list[np.ndarray]) -> Rectangle:
        spec = self._fields[name]
        if spec.shape[:1] == (None,):
            return values
        return np.stack(values) if values else np.empty((0, *(size or 1 for size in spec.shape)), spec.dtype)

    def fingerprint(self) -> str:
        """Return a checksum of the source's content and of the processing."""
        return checksum_of([self.source.fingerprint(), json.dumps(self.process.identity(), sort_keys=True)])

    def sizes(self) -> int:
        """Return how many values a row has; where that varies, a guess."""
        known = sum(spec.size for spec in self._fields.values())
        return known if not self.process.ragged else max(known, CHUNK // 256)


def collate(fields: Fields, device: torch.device) -> dict[str, Tensor]:
    """Return processed rows as one batch, padded with 0 on the right."""
    found = {}
    for name, rows in fields.items():
        values = [torch.from_numpy(np.ascontiguousarray(row)) for row in rows]
        values = [value if value.is_floating_point() else value.long() for value in values]
        found[name] = moved(torch.nn.utils.rnn.pad_sequence(values, batch_first=True), device)
    return found


def _example(spec: Spec) -> Any:
    if spec.kind == "text":
        return "a"
    return np.zeros([1600 if size is None else size for size in spec.shape], spec.dtype)
