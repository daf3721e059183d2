"""The history of a run: one JSON line per epoch, truncated on resume to what the checkpoint has seen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from equimodal.errors import RunError


class History:
    """Append lines to `history.jsonl`; without a path, keep them in memory.

    Args:
        path: the file, or None.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self.offset = 0

    def resume(self, offset: int) -> None:
        """Cut the file back to `offset` bytes, what the checkpoint had seen of it, and read those lines.

        Raises:
            RunError: the file is shorter than the checkpoint says.
        """
        if self.path is None:
            return
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < offset:
            raise RunError(
                f"{self.path}: holds {size} bytes, but the checkpoint had seen {offset}: "
                "the history was cut or replaced. Start again in another folder."
            )
        if size > offset:
            os.truncate(self.path, offset)
        self.lines = read_history(self.path) if offset else []
        self.offset = offset

    def append(self, line: Mapping[str, Any]) -> None:
        """Add one line, flushed to the disk.

        Raises:
            RunError: it could not be written; the file is as it was.
        """
        text = json.dumps(line, allow_nan=False) + "\n"
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                if self.path.exists():
                    os.truncate(self.path, self.offset)
                raise RunError(
                    f"{self.path}: could not be written ({error.strerror or error}). The last checkpoint is "
                    "whole; free some space, then continue with --resume."
                ) from error
        self.offset += len(text.encode())
        self.lines.append(json.loads(text))


def history_so_far(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a history that another process may be writing: those before the first that is not whole.

    A file that is missing has none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "history.jsonl"
        ...     _ = path.write_text('{"epoch": 1}\\n{"epo')
        ...     history_so_far(path)
        [{'epoch': 1}]
    """
    lines: list[dict[str, Any]] = []
    with suppress(OSError, ValueError), path.open("rb") as file:
        for text in file:
            line = json.loads(text)
            if not isinstance(line, dict):
                break
            lines.append(line)
    return lines


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a history file.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: is missing or damaged ({error}).") from error
