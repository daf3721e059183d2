"""The JSON file of a comparison, a study or an analysis."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from equimodal.errors import MALFORMED, RunError, damage
from equimodal.files import write_text

T = TypeVar("T")


def write_record(path: Path, content: dict[str, Any]) -> Path:
    """Write the file completely or not at all; the content must have no NaN, which JSON does not know."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n", then="give the same command again")
    return path


def read_record(path: Path, what: str, parse: Callable[[dict[str, Any]], T]) -> T:
    """Return the content of a file.

    Args:
        path: of the file.
        what: a comparison, a study ..., for messages.
        parse: from the file's content to the result.

    Raises:
        RunError: there is no file, it is not JSON, or `parse` cannot read its content.
    """
    if not path.is_file():
        raise RunError(
            f"{path.parent}: holds no finished {what} (there is no {path.name}). The command that began it resumes it."
        )
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except MALFORMED as error:
        raise RunError(
            f"{path}: damaged ({damage(error)}). Delete it and give the command that wrote it again: finished runs are "
            "kept."
        ) from error
