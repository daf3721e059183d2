"""The cache: features of a column are read where they are, and encoded where they are not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from equimodal._version import versions
from equimodal.data.columns.base import Column, checksum_of
from equimodal.errors import ConfigError
from equimodal.features.column import FeaturesColumn
from equimodal.features.earlier import changes, short_name
from equimodal.features.entry import LOG, Entry
from equimodal.features.filling import Filling, fill
from equimodal.features.manifest import FORMAT, Manifest, read_manifest
from equimodal.features.part import PLACE, FrozenPart
from equimodal.features.place import entries, is_cache, lock_of, open_place, place_of
from equimodal.locks import taking_turns
from equimodal.progress import Reporter


class FeatureCache:
    """Features in a folder, of any encoders and columns.

    The features of a column are in a folder of their own, whose name is a checksum of the encoder's identity and of the
    column's content. Several processes may use a cache at once: one encodes, the others wait, and then read what it
    wrote. A shard that was written never changes.

    Args:
        folder: of the cache; made if there is none.
        progress: shows how far an encoding is; None: nothing is shown.
        filling: makes what collects rows for a shard.

    Raises:
        ConfigError: the folder holds something else.
        RunError: it cannot be made.
    """

    def __init__(
        self, folder: Path, progress: Reporter | None = None, filling: Callable[..., Filling] = Filling
    ) -> None:
        self.folder = folder.absolute()
        self._progress, self._filling = progress, filling
        self._fingerprints: WeakKeyDictionary[Column, str] = WeakKeyDictionary()
        open_place(self.folder)

    def column(self, part: FrozenPart, column: Column, rows: np.ndarray, modality: str) -> FeaturesColumn:
        """Return the features of a column, of which those of `rows` are there; the missing ones are encoded first.

        Args:
            part: the frozen part of an encoder.
            column: the column with all its rows, not a selection: selections of one column then share its features.
            rows: numbers of the rows that will be taken, in any order. Others are not read.
            modality: what the column is called, for messages.

        Raises:
            ConfigError: the part's identity does not consist of plain values.
            DataError: the part returns something else than it says.
            RunError: the features cannot be written; what is finished stays.
        """
        rows = np.unique(np.asarray(rows, np.int64))
        entry = self._entry(part, column, modality)
        held = entry.read()
        if len(held.missing(rows)):
            # A handler of the log decides who hears of the waiting; encoding itself takes turns.
            with taking_turns(lock_of(entry.folder), f"the features of {modality}", LOG.warning):
                held = entry.mend()
                if len(missing := held.missing(rows)):
                    if not held.rows:
                        self._report_earlier(entry)
                    entry.begin(held, len(missing))
                    fill(self._filling(entry.add), part, column, missing, modality, self._progress)
                    held = entry.read()
        entry.used()
        return entry.column(held, column.spec.kind)

    def _entry(self, part: FrozenPart, column: Column, modality: str) -> Entry:
        spec, identity = part.features_of(column), part.identity()
        fingerprint = self._fingerprints.get(column) or column.fingerprint()
        self._fingerprints[column] = fingerprint
        try:
            identity = json.loads(json.dumps(identity, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{modality}: the identity of its frozen encoder should hold plain values only (text, numbers, lists, "
                f"mappings), got one that JSON does not know ({error})."
            ) from error
        decides = {key: value for key, value in identity.items() if key != PLACE}
        content = {"features": FORMAT, "identity": decides, "column": fingerprint}
        empty = Manifest(
            identity=identity,
            column=fingerprint,
            count=len(column),
            modality=modality,
            kind=column.spec.kind,
            shape=spec.shape,
            dtype=spec.dtype.str,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            versions=versions("torch", "transformers", "numpy"),
        )
        return Entry(self.folder / checksum_of([json.dumps(content, sort_keys=True)]), empty)

    def _report_earlier(self, entry: Entry) -> None:
        """Say so if features of the same column by another version of the same encoder are there."""
        for other in entries(self.folder):
            manifest = read_manifest(other)
            if manifest is not None and (found := changes(manifest, entry.empty)):
                LOG.warning(
                    "%s: features of another version of %s are there; they are not used (%s). "
                    "'equimodal features prune --stale' removes earlier ones.",
                    entry.empty.modality,
                    short_name(entry.empty.identity) or "the encoder",
                    "; ".join(found),
                )
                return


def open_cache(
    setting: str | Path | bool | None, progress: Reporter | None = None, *, make: bool = True
) -> FeatureCache | None:
    """Return the cache that `features.cache` stands for; None: no cache.

    Args:
        setting: a folder, True for the user's own, or None or False.
        progress: see `FeatureCache`.
        make: make it if there is none; otherwise one that is not there, or that may not be written, counts as none.

    Raises:
        ConfigError: the folder holds something else.
        RunError: it cannot be made.
    """
    if setting is None or setting is False:
        return None
    folder = place_of(setting)
    if not make and not (is_cache(folder) and os.access(folder, os.W_OK)):
        return None
    return FeatureCache(folder, progress)
