"""Decoding one piece: files are read, rows are written at their places, and what came of each is returned."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from equimodal.media.content import Content, digest_of
from equimodal.media.forms import Form, Row, read_row
from equimodal.media.settings import MediaSettings
from equimodal.media.texts import read_text
from equimodal.media.unreadable import Unreadable
from equimodal.preparation.arrays import Target, checks_of
from equimodal.preparation.embedded import Embedded
from equimodal.preparation.layout import Source, path_of
from equimodal.preparation.outcomes import Outcome, Outcomes, Piece

Files = Sequence[tuple[int, Mapping[str, Source]]]
"""Rows, and where their modalities come from."""


@dataclass(frozen=True)
class Work:
    """What every process needs.

    Args:
        targets: by modality, the file that its rows are written to. Texts have none: they are kept with the outcomes.
        forms: of all modalities.
        settings: sizes, lengths and limits.
        ends: whether a file that takes longer than `settings.max_decode` ends the process.
    """

    targets: Mapping[str, Target]
    forms: Mapping[str, Form]
    settings: MediaSettings
    ends: bool = False


def decode_piece(work: Work, piece: range, files: Files) -> Piece:
    """Decode the files of a piece and write its rows.

    Raises:
        RunError: the disk is full or not writable.
        ConfigError: a package that is needed is not installed.
    """
    blocks = {name: np.zeros((len(piece), *t.form.shape), t.form.dtype) for name, t in work.targets.items()}
    outcomes: Outcomes = {}
    for row, cells in files:
        outcomes[row] = {}
        for name, file in cells.items():
            with _limited(work.settings.max_decode) if work.ends else nullcontext():
                outcome, decoded = _decode(file, work.forms[name], work.settings)
            if outcome is not None:
                outcomes[row][name] = outcome
            if decoded is not None:
                blocks[name][row - piece.start, *(slice(size) for size in decoded.values.shape)] = decoded.values
    for name, target in work.targets.items():
        target.write(piece.start, blocks[name])
    return Piece(piece.start, outcomes, checks_of(work.targets, piece))


def _decode(source: Source, form: Form, settings: MediaSettings) -> tuple[Outcome | None, Row | None]:
    """Return what came of an entry, and its row; neither where a table has no entry."""
    digest = None
    try:
        file = source.load() if isinstance(source, Embedded) else source
        if file is None:
            return None, None
        digest = digest_of(file) if isinstance(file, Content) else _file_digest(path_of(file))
        if form.medium == "text":
            return Outcome(digest, text=read_text(path_of(source), settings)), None
        row = read_row(file, form, settings)
    except Unreadable as error:
        return Outcome(digest, cause=error.cause, reason=str(error)), None
    except OSError as error:
        return Outcome(digest, cause="damaged", reason=f"cannot be read ({error.strerror or error})"), None
    return Outcome(digest, len(row.values) if form.varies else None, row.likeness), row


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """End this process if the block takes longer, whatever it is doing.

    A thread of C does so: one of Python would wait for a decoder that holds the interpreter's lock.
    """
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _file_digest(path: Path) -> str:
    if not path.is_file():
        raise Unreadable("missing", "there is no such file")
    state = path.stat()
    return _checksum(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _checksum(path: Path, size: int, changed: int) -> str:
    """Return the SHA-256 of a file; it is read once for all its modalities and sections, unless it changes."""
    del size, changed
    return digest_of(path)
