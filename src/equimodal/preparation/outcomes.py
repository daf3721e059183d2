"""What came of each cell of a piece, and the journal that keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equimodal.media.unreadable import Cause


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file.

    Args:
        digest: SHA-256 of its bytes; None where it could not be read at all.
        steps: of a row whose length varies.
        likeness: of a picture or video.
        text: of a text file.
        cause: why the file gives no row; None if it gives one.
        reason: in words.
    """

    digest: str | None = None
    steps: int | None = None
    likeness: int | None = None
    text: str | None = None
    cause: Cause | None = None
    reason: str = ""


Outcomes = dict[int, dict[str, Outcome]]
"""By row and modality."""


@dataclass(frozen=True)
class Piece:
    """A piece of rows that is done.

    Args:
        start: its first row.
        outcomes: of its rows.
        checks: by modality, the checksum of what was written.
    """

    start: int
    outcomes: Outcomes
    checks: Mapping[str, int]


class Journal:
    """The pieces that are done, a line each, in the order in which they were.

    A line is only counted if it is whole, and what it says was written is compared before work is continued: a killed
    process costs the pieces that it was at, and no more.

    Args:
        path: the file.
        stamp: of the plan; lines of another plan do not count.
    """

    def __init__(self, path: Path, stamp: str) -> None:
        self.path, self.stamp = path, stamp

    def begin(self) -> None:
        """Start with no piece."""
        self.path.write_text(json.dumps({"stamp": self.stamp}) + "\n", encoding="utf-8")

    def add(self, piece: Piece) -> None:
        """Write a line, in one go."""
        rows = {
            str(row): {name: _plain(outcome) for name, outcome in cells.items()}
            for row, cells in piece.outcomes.items()
        }
        line = json.dumps({"start": piece.start, "rows": rows, "checks": dict(piece.checks)})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def fits(self) -> bool:
        """Return whether there is a journal, and it is of this plan."""
        try:
            with self.path.open(encoding="utf-8") as file:
                return json.loads(file.readline()).get("stamp") == self.stamp
        except (OSError, ValueError, AttributeError):
            return False

    def pieces(self) -> list[Piece]:
        """Return the pieces that are done, and cut off a line that was not finished."""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        found = []
        for line in whole.splitlines()[1:]:
            try:
                found.append(_piece(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # damaged: that piece is done again
        return found


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {key: value for key, value in asdict(outcome).items() if value not in (None, "")}


def _piece(content: dict[str, Any]) -> Piece:
    rows = {int(row): {name: Outcome(**cell) for name, cell in cells.items()} for row, cells in content["rows"].items()}
    return Piece(int(content["start"]), rows, {name: int(value) for name, value in content["checks"].items()})
