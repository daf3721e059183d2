"""What a folder of features holds, in readable form: its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.data.columns.base import Kind, Spec
from equimodal.files import write_text

FILE = "manifest.json"
FORMAT = 1
"""Version of what is on disk. It is part of the key: features in another format are not found, and not misread."""

THEN = "start again: what was finished is kept"
"""What to do once the cause of a failed write is mended."""


@dataclass(frozen=True)
class Shard:
    """Some rows of features that were written together and never change.

    Args:
        name: begins the names of its files.
        rows: how many.
        files: by the file's name, its size in bytes and its SHA-256.
    """

    name: str
    rows: int
    files: Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Manifest:
    """All that is known of the features of one column.

    Args:
        identity: what decides the features besides the column, see `FrozenPart.identity`.
        column: fingerprint of the column.
        count: rows of the column.
        modality: what the column is called; for readers only.
        kind: what a row of the column is.
        shape: of a row of features, `None` where it varies.
        dtype: of the features.
        created: when the first rows were asked for, in ISO 8601, UTC.
        versions: of the libraries that encoded the first rows.
        missing: rows that were asked for and are not encoded yet: above 0 after an interruption.
        shards: the rows that are there.
        format: version of what is on disk.
    """

    identity: Mapping[str, Any]
    column: str
    count: int
    modality: str
    kind: Kind
    shape: tuple[int | None, ...]
    dtype: str
    created: str
    versions: Mapping[str, str]
    missing: int = 0
    shards: tuple[Shard, ...] = ()
    format: int = FORMAT

    @property
    def spec(self) -> Spec:
        """What a row of features is."""
        return Spec("tensor", self.shape, np.dtype(self.dtype))

    @property
    def rows(self) -> int:
        """Rows that are there."""
        return sum(shard.rows for shard in self.shards)

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(size for shard in self.shards for size, _ in shard.files.values())

    def without(self, names: set[str]) -> Manifest:
        """Return the manifest without the shards of these names."""
        return replace(self, shards=tuple(shard for shard in self.shards if shard.name not in names))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into its folder.

    Raises:
        RunError: the disk is full or not writable.
    """
    write_text(folder / FILE, json.dumps(asdict(manifest), indent=1) + "\n", THEN)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest in a folder; None where there is none, or an unreadable one.

    A manifest is written whole or not at all, so that an unreadable one is damage or the work of another program.
    """
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        shards = tuple(
            Shard(
                str(each["name"]), int(each["rows"]), {name: (int(a), str(b)) for name, (a, b) in each["files"].items()}
            )
            for each in content.pop("shards")
        )
        names = [name for shard in shards for name in shard.files]
        if any(Path(name).name != name for name in names):  # nothing outside the folder is ever read or removed
            return None
        manifest = Manifest(**{**content, "shape": tuple(content["shape"])}, shards=shards)
        _ = manifest.spec
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest
