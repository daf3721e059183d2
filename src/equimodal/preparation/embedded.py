"""A media file, or an array, that lies in a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.errors import DataError
from equimodal.extras import need
from equimodal.media.arrays import array_content
from equimodal.media.content import Content
from equimodal.media.unreadable import Unreadable
from equimodal.preparation.shards import arrow, batches

_MANY = 1024


@dataclass(frozen=True, slots=True)
class Embedded:
    """An entry of a table.

    Args:
        shard: the file of the table.
        row: within the shard.
        column: whose entries are bytes, or records of bytes and a path, as Hugging Face stores media; or numbers.
        steps: numbers in a list are steps of one number each, (T, 1), and not a vector (T,).
    """

    shard: Path
    row: int
    column: str
    steps: bool = False

    @property
    def section(self) -> str:
        """Which entry of the shard, in words."""
        return f"row {self.row}, {self.column}"

    def load(self) -> Content | None:
        """Return the entry as a file in memory; None where there is none. Numbers become a `.npy`.

        Raises:
            Unreadable: the table is damaged here, or names a file in place of holding it.
        """
        try:
            value = _column_of(self.shard, self.column, self.row).at(self.row)
        except DataError as error:
            _open.clear()
            raise Unreadable("damaged", str(error).removeprefix(f"{self.shard}: ").rstrip(".")) from error
        if not value.is_valid:
            return None
        types = arrow().types
        if types.is_struct(value.type):
            data, name = value["bytes"].as_py(), value["path"].as_py()
            if data is None and name:
                raise Unreadable("missing", f"the table names the file '{name}', and the data set has no such file")
            return None if data is None else Content(data, name or "")
        if types.is_binary(value.type) or types.is_large_binary(value.type):
            return Content(value.as_py())
        numbers = numbers_of(value)
        return array_content(numbers[:, None] if self.steps else numbers)


def lengths_differ(shards: Iterable[Path], column: str) -> bool:
    """Return whether a column holds flat lists of numbers that differ in length."""
    pa, found = arrow(), set[int]()
    for shard in shards:
        for _, batch in batches(shard, [column], rows=_MANY):
            values = batch.column(column)
            if not pa.types.is_nested(values.type) or pa.types.is_nested(values.type.value_type):
                return False
            found.update(need("pyarrow.compute").list_value_length(values).drop_null().unique().to_pylist())
    return len(found) > 1


def numbers_of(value: Any) -> np.ndarray:
    """Return an entry of numbers, alone or in lists of lists, as an array.

    Raises:
        Unreadable: lists within it differ in length, or a number is missing.
    """
    value = getattr(value, "value", value)  # of an extension type, what is stored
    values = getattr(value, "values", None)
    return np.array(value.as_py()) if values is None else _numbers(values)


def _numbers(values: Any) -> np.ndarray:
    pa = arrow()
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if values.null_count:
        raise Unreadable("not finite", "holds numbers that are missing")
    if not hasattr(values, "flatten") or not pa.types.is_nested(values.type):
        return values.to_numpy(zero_copy_only=False)
    lengths = need("pyarrow.compute").list_value_length(values).unique().to_pylist()
    if len(lengths) > 1:
        raise Unreadable("wrong shape", f"holds lists of {min(lengths)} to {max(lengths)} entries, expected one length")
    inner = _numbers(values.flatten())
    return inner.reshape(len(values), *lengths, *inner.shape[1:])


class _Column:
    """A column of a shard whose rows are asked for mostly in order: a batch is kept, and then the next one read."""

    def __init__(self, shard: Path, column: str, row: int) -> None:
        self.shard, self._column = shard, column
        self._begin(row)

    def at(self, row: int) -> Any:
        """Return the entry of a row."""
        if row < self._start:
            self._begin(row)
        while row >= self._start + len(self._values):
            found = next(self._batches, None)
            if found is None:
                raise DataError(f"{self.shard}: has no row {row} any more. Was it changed meanwhile?")
            self._start, self._values = found[0], found[1].column(self._column)
        return self._values[row - self._start]

    def _begin(self, row: int) -> None:
        self._start, self._values = 0, ()
        self._batches = batches(self.shard, [self._column], row)


_open: dict[str, _Column] = {}
"""The shard of each column that is read at present: of any number of shards one is open, of many columns all are."""


def _column_of(shard: Path, column: str, row: int) -> _Column:
    found = _open.get(column)
    if found is None or found.shard != shard:
        found = _open[column] = _Column(shard, column, row)
    return found
