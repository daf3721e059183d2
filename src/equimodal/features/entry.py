"""The features of one column on disk: read, mended, added to."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from equimodal.data.columns.base import Kind
from equimodal.features.column import FeaturesColumn
from equimodal.features.manifest import FILE, Manifest, read_manifest, write_manifest
from equimodal.features.shards import is_sound, remove_files, row_numbers, write_shard

LOG = logging.getLogger("equimodal.features")

_OURS = re.compile(r"shard-[0-9a-f]{12}\.(rows|features|offsets)\.npy|\..*\.equimodal-tmp")
"""Files of shards, and what killed processes left of writing one."""


@dataclass(frozen=True)
class Held:
    """What is there of a column's features.

    Args:
        manifest: with the sound shards only.
        rows: the numbers of the rows in each shard, int64.
    """

    manifest: Manifest
    rows: list[np.ndarray]

    def missing(self, wanted: np.ndarray) -> np.ndarray:
        """Return which of the rows wanted are not there, int64, rising."""
        return np.setdiff1d(wanted, np.concatenate([np.empty(0, np.int64), *self.rows]))


class Entry:
    """The features of one column.

    Args:
        folder: where they are. Its name is their key.
        empty: the manifest that it begins with.
    """

    def __init__(self, folder: Path, empty: Manifest) -> None:
        self.folder, self.empty = folder, empty

    def read(self) -> Held:
        """Return what is there and sound. Damaged shards are passed over, nothing is written."""
        manifest = read_manifest(self.folder) or self.empty
        sound: list[tuple[str, np.ndarray]] = []
        for shard in manifest.shards:
            if is_sound(self.folder, shard):
                with suppress(OSError, ValueError):  # removed just now
                    sound.append((shard.name, row_numbers(self.folder, shard)))
        names = {name for name, _ in sound}
        return Held(manifest.without({s.name for s in manifest.shards} - names), [rows for _, rows in sound])

    def mend(self) -> Held:
        """Remove damaged shards and what killed processes left, and return what remains. Hold the lock for this."""
        if not self.folder.exists():
            return Held(self.empty, [])
        manifest, held = read_manifest(self.folder), self.read()
        if manifest is None and (self.folder / FILE).exists():
            LOG.warning("%s: the manifest is damaged; its features are computed anew.", self.folder)
        elif manifest is not None and (lost := len(manifest.shards) - len(held.manifest.shards)):
            LOG.warning(
                "%s: %d of %d shards of features are damaged; their rows are computed anew.",
                self.folder,
                lost,
                len(manifest.shards),
            )
            write_manifest(self.folder, held.manifest)
        kept = {name for shard in held.manifest.shards for name in shard.files}
        remove_files(self.folder, [name for name in own_files(self.folder) if name not in kept])
        return held

    def begin(self, held: Held, missing: int) -> None:
        """Say in the manifest how many rows are to come. Hold the lock for this."""
        write_manifest(self.folder, replace(held.manifest, missing=missing))

    def add(self, rows: np.ndarray, values: list[np.ndarray]) -> None:
        """Add the features of some rows as a shard. Hold the lock for this.

        Raises:
            RunError: the disk is full or not writable; the shards that were there are as they were.
        """
        manifest = read_manifest(self.folder) or self.empty
        shard = write_shard(self.folder, rows, values, ragged=manifest.shape[0] is None)
        changed = replace(manifest, shards=(*manifest.shards, shard), missing=max(0, manifest.missing - len(rows)))
        try:
            write_manifest(self.folder, changed)
        except BaseException:
            remove_files(self.folder, shard.files)
            raise

    def used(self) -> None:
        """Remember that it was used now: as the time of change of the manifest, which several readers may set."""
        with suppress(OSError):  # a cache that may only be read
            os.utime(self.folder / FILE)

    def column(self, held: Held, kind: Kind) -> FeaturesColumn:
        """Return what is there as a column."""
        manifest = held.manifest
        return FeaturesColumn(
            self.folder,
            [shard.name for shard in manifest.shards],
            held.rows,
            count=manifest.count,
            kind=kind,
            spec=manifest.spec,
            key=self.folder.name,
        )


def own_files(folder: Path) -> list[str]:
    """Return the names of the files of shards, and of what was left half-written."""
    return [entry.name for entry in folder.iterdir() if _OURS.fullmatch(entry.name)]


def remove(folder: Path) -> bool:
    """Remove the features of a column, the manifest first, and no file that is not ours. Hold the lock for this.

    Returns:
        Whether none of ours is left; the system may keep files that are read, or forbid it.
    """
    if not folder.exists():
        return True  # removed by another process
    remove_files(folder, [FILE, *own_files(folder)])
    if (folder / FILE).exists() or own_files(folder):
        return False
    with suppress(OSError):  # a file of somebody else is in it
        folder.rmdir()
    return True
