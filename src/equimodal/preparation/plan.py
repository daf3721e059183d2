"""What is to be done: rows, their pieces, and how each modality is stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from equimodal.data.columns.base import checksum_of
from equimodal.errors import RunError
from equimodal.extras import need
from equimodal.media.content import File
from equimodal.media.forms import Form, form_of, packages_for
from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable
from equimodal.preparation.embedded import Embedded
from equimodal.preparation.layout import Layout, Source, path_of
from equimodal.tables.words import size_in_words

PIECE = 16
"""Rows that are decoded and written together; what a kill costs is that much work per worker."""
FORMAT = 1
"""Version of what is on disk."""


@dataclass(frozen=True)
class Plan:
    """A layout, and what becomes of it.

    Args:
        layout: the samples.
        settings: sizes, lengths and limits.
        forms: by modality, how its rows are stored.
    """

    layout: Layout
    settings: MediaSettings
    forms: dict[str, Form]

    @classmethod
    def make(cls, layout: Layout, settings: MediaSettings) -> Plan:
        """Return the plan of a layout; shapes of arrays are looked up in their files.

        Raises:
            ConfigError: a package that is needed is not installed.
        """
        sources = {
            modality: [
                cell
                for each in layout.samples
                if (cell := each.cells.get(modality)) is not None and not isinstance(cell, str)
            ]
            for modality in layout.media
        }
        modules = (packages_for(medium, _endings(sources[name])) for name, medium in layout.media.items())
        for module in sorted(set().union(*modules)):
            need(module)
        forms = {
            name: form_of(medium, settings, _files(sources[name]) if medium == "array" else ())
            for name, medium in layout.media.items()
        }
        return cls(layout, settings, forms)

    def pieces(self) -> list[range]:
        """Return the rows in pieces."""
        count = len(self.layout.samples)
        return [range(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]

    def files(self, piece: range) -> list[tuple[int, dict[str, Source]]]:
        """Return where a piece's rows come from, by row and modality."""
        return [
            (row, {name: cell for name, cell in self.layout.samples[row].cells.items() if not isinstance(cell, str)})
            for row in piece
        ]

    def arrays(self) -> dict[str, Form]:
        """Return the forms of what is stored as arrays: all but texts."""
        return {name: form for name, form in self.forms.items() if form.medium != "text"}

    def size(self) -> int:
        """Return how many bytes the arrays will take."""
        return len(self.layout.samples) * sum(form.row_bytes for form in self.arrays().values())

    def identity(self) -> str:
        """Return a checksum of all that decides what is made, but for the files' content."""
        return checksum_of(self._content(stamped=False))

    def stamp(self) -> str:
        """Return a checksum like `identity` that also changes with the files' sizes and times."""
        return checksum_of(self._content(stamped=True))

    def _content(self, stamped: bool) -> Iterator[str]:
        yield f"{FORMAT} {self.settings.model_dump_json()} {self.forms!r}\n"
        if self.layout.classes is not None:
            yield f"{tuple(self.layout.classes)!r}\n"
        for each in self.layout.samples:
            yield f"{each.id!r} {each.label!r} {each.split!r} {each.group!r}\n"
            for modality, cell in each.cells.items():
                if isinstance(cell, str):
                    yield f"{modality} {cell!r}\n"
                    continue
                path = path_of(cell)
                found = path.stat() if stamped and path.is_file() else None
                state = (found.st_size, found.st_mtime_ns) if found else None
                yield f"{modality} {self.layout.shown(cell)!r} {state}\n"


def _endings(sources: Iterable[Source]) -> set[str]:
    """Return how names end; what lies in a table may be for either reader of sound."""
    found: set[str] = set()
    for source in sources:
        found.update((".wav", "") if isinstance(source, Embedded) else (path_of(source).suffix,))
    return found


def _files(sources: Iterable[Source]) -> Iterator[File]:
    """Yield files, one after the other; what cannot be read is reported when it is decoded."""
    for source in sources:
        try:
            file = source.load() if isinstance(source, Embedded) else path_of(source)
        except Unreadable:
            continue
        if file is not None:
            yield file


def check_space(plan: Plan, folder: Path) -> None:
    """Check that the disk has room for what is to be written.

    Args:
        plan: what is to be done.
        folder: that will be written to.

    Raises:
        RunError: it has not.
    """
    wanted = plan.size()
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise RunError(
            f"{folder}: {size_in_words(wanted)} are needed, and {size_in_words(free)} are free. Choose another disk "
            "with --out, or smaller sizes (--image-size, --frames, --frame-size, --seconds)."
        )
