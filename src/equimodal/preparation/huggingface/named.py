"""Media that a table only names: files that lie beside it, in place of bytes that lie in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equimodal.extras import need
from equimodal.preparation.huggingface.snapshot import leads_out
from equimodal.preparation.shards import arrow, batches, schema_of

_ROWS = 4096


def files_beside(root: Path, shard: Path, column: str) -> dict[int, Path]:
    """Return the files that a shard names in place of holding them, by row; only those that are there.

    A path counts from the shard's folder, or else from that of the data set, and never leads out of the latter.

    Args:
        root: of the data set, without links.
        shard: whose rows.
        column: of media.

    Raises:
        DataError: the shard is damaged.
        ConfigError: pyarrow is not installed.
    """
    if not arrow().types.is_struct(schema_of(shard).field(column).type):
        return {}
    names = [f"{column}.path"] if shard.suffix == ".parquet" else [column]
    found = {
        row: file
        for row, name in _entries(batches(shard, names, rows=_ROWS), column, "path")
        if (file := _find(root, shard, name.as_py())) is not None
    }
    if found:  # only then are bytes read, to see where there are none
        for row, data in _entries(batches(shard, [column], min(found)), column, "bytes"):
            if data.is_valid:
                found.pop(row, None)
    return found


def _entries(parts: Iterator[tuple[int, Any]], column: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield each row with one field of its record."""
    for start, batch in parts:
        yield from enumerate(need("pyarrow.compute").struct_field(batch.column(column), name), start)


def _find(root: Path, shard: Path, name: str | None) -> Path | None:
    for folder in dict.fromkeys((shard.parent, root)) if name else ():
        path = folder / str(name)
        if not leads_out(root, path) and path.is_file():
            return path
    return None
