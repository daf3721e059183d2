"""The JSON file in which a comparison, a study or an analysis keeps what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from equimodal.errors import RunError
from equimodal.files import write_text

T = TypeVar("T")


def write_record(path: Path, content: dict[str, Any]) -> Path:
    """Write the file, whole or not at all; JSON has no NaN, and none may be in the content."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n", then="give the same command again")
    return path


def read_record(path: Path, what: str, parse: Callable[[dict[str, Any]], T]) -> T:
    """Return what a file holds.

    Args:
        path: of the file.
        what: a comparison, a study ..., for messages.
        parse: from the file's content to the result.

    Raises:
        RunError: there is no file, it is no JSON, or ``parse`` cannot read its content.
    """
    if not path.is_file():
        raise RunError(
            f"{path.parent}: holds no finished {what} (there is no {path.name}). "
            "The command that began it goes on with it."
        )
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: damaged ({error}). Delete it and give the command that wrote it again: finished runs are kept."
        ) from error
