"""What a cache holds, as values and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from equimodal.features.earlier import flat, is_stale, short_name
from equimodal.features.manifest import FILE, FORMAT, Manifest, read_manifest
from equimodal.features.place import check_place, entries
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import size_in_words


@dataclass(frozen=True)
class Listed:
    """The features of one column.

    Args:
        folder: where they are.
        manifest: what is known of them; None: it cannot be read.
        used: when they were last used, seconds since 1970.
        size: bytes of all files in the folder.
        stale: whether they are of no use any more: the manifest cannot be read, they are in an earlier format, or a
            later version of the same encoder has features of the same column.
    """

    folder: Path
    manifest: Manifest | None
    used: float
    size: int
    stale: bool


def contents(folder: Path) -> list[Listed]:
    """Return what a cache holds, the last used first.

    Raises:
        RunError: the folder is not a cache.
    """
    check_place(folder)
    manifests = {entry: read_manifest(entry) for entry in entries(folder)}
    known = [manifest for manifest in manifests.values() if manifest is not None]
    found = []
    for entry, manifest in manifests.items():
        stale = manifest is None or manifest.format != FORMAT or is_stale(manifest, known)
        marked = entry / FILE if manifest is not None else entry
        with suppress(FileNotFoundError):  # what another process removes just now is passed over
            files = [path for path in entry.iterdir() if path.is_file() and not path.is_symlink()]
            found.append(Listed(entry, manifest, marked.stat().st_mtime, sum(_size(path) for path in files), stale))
    return sorted(found, key=lambda listed: -listed.used)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def table(listed: Sequence[Listed], title: str) -> Table:
    """Return a table of what a cache holds, one row for each column of data."""
    cells = {
        "revision": [_revision(each.manifest) for each in listed],
        "column": [f"{each.manifest.modality} {each.manifest.column[:8]}" if each.manifest else "" for each in listed],
        "rows": [f"{each.manifest.rows} of {each.manifest.count}" if each.manifest else "" for each in listed],
        "width": [_width(each.manifest) for each in listed],
        "dtype": [each.manifest.spec.dtype.name if each.manifest else "" for each in listed],
        "size": [size_in_words(each.size) for each in listed],
        "last used": [datetime.fromtimestamp(each.used, UTC).strftime("%Y-%m-%d %H:%M") for each in listed],
        "state": [_state(each) for each in listed],
    }
    columns = tuple(Column(header, tuple(map(Cell, texts))) for header, texts in cells.items())
    return Table(title, "", tuple(encoder_of(each) for each in listed), columns, row_header="encoder")


def encoder_of(listed: Listed) -> str:
    """Return the encoder's name, or the folder's where it is unknown."""
    identity = {} if listed.manifest is None else listed.manifest.identity
    return short_name(identity) or listed.folder.name[:12]


def _revision(manifest: Manifest | None) -> str:
    identity = {} if manifest is None else dict(flat(manifest.identity))
    wanted = ("revision", "checksum", "version", "weights")
    found = [value for word in wanted for key, value in identity.items() if key.split(".")[-1] == word]
    return str(found[0])[:12] if found else ""


def _width(manifest: Manifest | None) -> str:
    if manifest is None:
        return ""
    return " x ".join("T" if size is None else str(size) for size in manifest.shape)


def _state(listed: Listed) -> str:
    if listed.manifest is None:
        return "unreadable"
    state = f"{listed.manifest.missing} rows missing" if listed.manifest.missing else "complete"
    return f"{state}, stale" if listed.stale else state
