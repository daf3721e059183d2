"""Tables in files, read a few rows at a time: Parquet, and streams of Arrow. Nothing in them is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from equimodal.errors import DataError
from equimodal.extras import need

ENDINGS = (".parquet", ".arrow")
_PURPOSE = "Reading a data set of Hugging Face"
_ROWS = 16
"""Rows of Parquet that are in memory at once; a stream of Arrow is mapped, not read."""
_BUFFER = 1 << 20
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""The last bytes of a stream that was finished."""
_POINTER = b"version https://git-lfs"


def arrow() -> Any:
    """Return the module `pyarrow`.

    Raises:
        ConfigError: it is not installed.
    """
    return need("pyarrow", _PURPOSE)


def schema_of(path: Path) -> Any:
    """Return the schema of a shard, once it is known to be whole.

    Raises:
        DataError: it is missing, damaged, cut short, or only stands for a file that was not downloaded.
        ConfigError: pyarrow is not installed.
    """
    pa = arrow()
    try:
        with path.open("rb") as file:
            head = file.read(len(_POINTER))
            file.seek(max(0, path.stat().st_size - len(_END)))
            tail = file.read()
        if head == _POINTER:
            raise DataError(f"{path}: stands for a file that was not downloaded. Get it: git lfs pull.")
        if path.suffix == ".parquet":
            return need("pyarrow.parquet", _PURPOSE).read_schema(path)
        if tail != _END:
            raise DataError(f"{path}: is cut short. Copy or download it again.")
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            return reader.schema
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Copy or download it again.") from error


def batches(path: Path, columns: Sequence[str], first: int = 0, rows: int = _ROWS) -> Iterator[tuple[int, Any]]:
    """Yield batches of rows, each with the number of its first one, from the batch of row `first` or an earlier one on.

    Args:
        path: of the shard.
        columns: that are read.
        first: row that is wanted first.
        rows: of a batch of Parquet.

    Raises:
        DataError: the shard is damaged.
        ConfigError: pyarrow is not installed.
    """
    pa = arrow()
    read = _parquet_batches if path.suffix == ".parquet" else _arrow_batches
    try:
        yield from read(path, list(columns), first, rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Copy or download it again.") from error


def _parquet_batches(path: Path, columns: list[str], first: int, rows: int) -> Iterator[tuple[int, Any]]:
    # Not buffered ahead: only so do rows of one group come without the whole group.
    with need("pyarrow.parquet", _PURPOSE).ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        start = group = 0
        while group < len(sizes) and start + sizes[group] <= first:
            start, group = start + sizes[group], group + 1
        left = range(group, len(sizes))
        for batch in file.iter_batches(rows, row_groups=left, columns=columns, use_threads=False):
            yield start, batch
            start += batch.num_rows


def _arrow_batches(path: Path, columns: list[str], first: int, rows: int) -> Iterator[tuple[int, Any]]:
    del rows
    pa = arrow()
    start = 0
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            if start + batch.num_rows > first:
                chosen = batch.select(columns)
                chosen.validate(full=True)  # offsets that are damaged would end the process; files in it are not read
                yield start, chosen
            start += batch.num_rows
