"""Which files belong to which sample: what every reader of a manifest, a folder or a benchmark returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equimodal.media.clip import Clip, as_clip
from equimodal.media.forms import Medium
from equimodal.preparation.embedded import Embedded

Source = Path | Clip | Embedded
"""A file, a section of a sound or video, or an entry of a table."""
Cell = Source | str
"""Where an entry comes from, or a text itself."""
TIMED: tuple[Medium, ...] = ("audio", "video")
"""Media that have sections."""
WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Names of parts, of splits and of folders, as users and the hub of Hugging Face write them."""


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

    Raises:
        ValueError: a section of a file that is neither sound nor video.
    """

    media: Mapping[str, Medium]
    samples: Sequence[Sample]
    root: Path
    notes: Sequence[str] = field(default_factory=tuple)
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for each in self.samples:
            for name, cell in each.cells.items():
                if isinstance(cell, Clip) and cell.section and self.media[name] not in TIMED:
                    raise ValueError(
                        f"{each.id}: {name} is {self.media[name]}; only {' and '.join(TIMED)} have sections"
                    )

    def shown(self, source: Source) -> str:
        """Return a file as messages and lists write it: as seen from the root, with slashes, and with what of it."""
        path = path_of(source)
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        part = source.section if isinstance(source, (Clip, Embedded)) else ""
        return f"{name} [{part}]" if part else name


def path_of(source: Source) -> Path:
    """Return the file on disk that an entry lies in."""
    file = source.shard if isinstance(source, Embedded) else as_clip(source).file
    assert isinstance(file, Path)  # what is in memory is not in a layout
    return file
