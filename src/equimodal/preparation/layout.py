"""Which files belong to which sample: what every reader of a manifest, a folder or a benchmark returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equimodal.media.forms import Medium

Cell = Path | str
"""A file, or a text itself."""


@dataclass(frozen=True)
class Sample:
    """One sample, and where its modalities are.

    Args:
        id: what identifies it.
        cells: by modality; one that is missing is left out.
        label: its class, or None.
        split: train, validation or test, or None.
        group: what training and test must not share, or None.
    """

    id: str
    cells: Mapping[str, Cell]
    label: str | None = None
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Layout:
    """All samples, in order.

    Args:
        media: by modality, what its files hold.
        samples: in the order of the rows to come. Labels, splits and groups are there for all or for none.
        root: the folder that all files lie in; paths are reported as seen from it.
        notes: what a reader noticed, for instance counts that differ from those published.
        classes: in order; by default the labels, sorted. Those that no sample has are left out.
    """

    media: Mapping[str, Medium]
    samples: Sequence[Sample]
    root: Path
    notes: Sequence[str] = field(default_factory=tuple)
    classes: Sequence[str] | None = None

    def shown(self, path: Path) -> str:
        """Return a path as messages and lists write it: as seen from the root, with slashes."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
