"""Clips of YouTube videos that annotations list by class, video and start, or that lie in folders of their class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from equimodal.errors import DataError
from equimodal.preparation.lists import read_columns
from equimodal.preparation.manifest import SPLITS
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree

NAME = r"(?P<video>.{11})_(?P<start>\d{6})_\d{6}\.(?:mp4|mkv|webm|avi)"
"""A clip's file: the id of its video, and its first and last second."""
_COLUMNS = ("label", "youtube_id", "time_start", "split")
_PARTS = {**SPLITS, "validate": "validation"}


class Listed(NamedTuple):
    """A clip.

    Args:
        key: id of its video, and its first second.
        label: its class.
        part: train, validation, test, or None where nothing says it.
    """

    key: tuple[str, int]
    label: str
    part: str | None


def plain(name: str) -> str:
    """Return a class's name as the annotations write it, from a folder's.

    Example:
        >>> plain("Playing_guitar"), plain("skiing (not slalom or crosscountry)")
        ('playing guitar', 'skiing (not slalom or crosscountry)')
    """
    return " ".join(name.replace("_", " ").lower().split())


def by_folder(tree: Tree, path: Path) -> tuple[str, str | None]:
    """Return class and part of a clip by the folders that it lies in: `train_256/playing guitar/`.

    Raises:
        DataError: its folder is that of a part.
    """
    above = path.relative_to(tree.root).parts[:-1]
    if not above or _part(above[-1]):
        raise tree.unlike(f"a class's folder above {path.name}, or annotations (train.csv and so on), were")
    parts = [part for name in above[:-1] if (part := _part(name))]
    return plain(above[-1]), parts[-1] if parts else None


def _part(name: str) -> str | None:
    """Return the part that a folder is of, by its name, or None for any other folder."""
    match = re.fullmatch(r"(?:(?:videos?|clips?|k400|kinetics400)_)?([a-z]+)(?:_\d+p?)?", name.lower())
    return _PARTS.get(match[1]) if match else None


def annotated(tree: Tree) -> list[Listed]:
    """Return the clips that annotations list, each once; none where there are no annotations.

    Raises:
        DataError: annotations are of another form; all lines that are not as they should be are counted.
    """
    clips: dict[tuple[str, int], Listed] = {}
    for _, path in tree.named(r".*(?:train|val|validate|test)\.csv"):
        table = read_columns(path, _COLUMNS)
        wrong: list[str] = []
        for place, *cells in zip(table.places, *(table.cells[name] for name in _COLUMNS), strict=True):
            label, video, start, split = (cell or "" for cell in cells)
            if not label or not re.fullmatch(r".{11}", video) or not re.fullmatch(r"\d+(?:\.0*)?", start):
                wrong.append(f"{place} ('{label},{video},{start}')")
            elif split.lower() not in _PARTS:
                wrong.append(f"{place} (split '{split}')")
            else:
                key = video, int(float(start))
                clips.setdefault(key, Listed(key, plain(label), _PARTS[split.lower()]))
        if wrong:
            raise DataError(
                f"{path}: expected a class, an id of 11 characters, a start in seconds and train, val or test, but "
                f"not so in {list_places(wrong)}. Take the annotations as they are downloaded."
            )
    return list(clips.values())
