"""Whether a folder is a data set of Hugging Face, or holds several of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from equimodal.errors import DataError
from equimodal.preparation.huggingface.card import has_card, read_card
from equimodal.preparation.huggingface.snapshot import MODELS, is_repository, unfinished
from equimodal.preparation.layout import WORDS
from equimodal.preparation.shards import ENDINGS
from equimodal.preparation.tables import list_places

DICT, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
"""What `save_to_disk` writes beside its shards: for several splits, and for each of them."""
_DEPTH = 2
"""Folders within folders that are looked into: the cache of the hub lies in `~/.cache/huggingface/hub`."""


def is_saved(folder: Path) -> bool:
    """Return whether a folder looks like what `save_to_disk` writes."""
    return any((folder / name).is_file() for name in (DICT, STATE, INFO))


def is_dataset(folder: Path) -> bool:
    """Return whether a folder is a data set of Hugging Face or holds some: what is wrong with it its reader says."""
    folder = folder.resolve()
    if is_repository(folder) or unfinished(folder) or is_saved(folder) or _within(folder):
        return True
    return any(path.suffix in ENDINGS for path in folder.glob("**/*")) or bool(read_card(folder).files)


def check_single(folder: Path) -> None:
    """Check that a folder is not one that holds data sets: their tables would be read as one data set.

    Raises:
        DataError: it holds some; they are named.
    """
    root = folder.resolve()
    within = [path.relative_to(root).as_posix() for path in _within(root)]
    if within and all(name in WORDS for name in within):
        raise DataError(
            f"{root}: holds splits ({list_places(within)}), but no {DICT}. Save the data set again with "
            f"DatasetDict.save_to_disk; or give one split: {root / within[0]}."
        )
    if within:
        found = "a folder that holds one" if len(within) == 1 else f"a folder that holds {len(within)}"
        raise DataError(
            f"{root}: expected one data set of Hugging Face, got {found}: {list_places(within)}. Give one of them, for "
            f"instance {root / within[0]}."
        )


def _within(root: Path) -> list[Path]:
    """Return the data sets that lie in a folder; none if it is one itself."""
    own = is_repository(root) or is_repository(root.parent) or is_saved(root) or has_card(root)
    tables = (path for place in (root, root / "data") for path in place.glob("*.parquet"))
    return [] if own or next(tables, None) is not None else sorted(_below(root, _DEPTH))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inner = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir()]
    except OSError:
        return  # whoever reads the folder says so
    for path in inner:
        if path.is_symlink():
            continue
        is_cached = is_repository(path) and not path.name.startswith(MODELS)
        if is_cached or (path / DICT).is_file() or (path / STATE).is_file() or has_card(path):
            yield path
        elif depth > 1:
            yield from _below(path, depth - 1)
