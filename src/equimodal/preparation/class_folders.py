"""A folder per class, with or without a folder per part above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from equimodal.data.checks import raise_problems
from equimodal.errors import DataError
from equimodal.media.forms import Medium
from equimodal.media.sound import SOUNDFILE
from equimodal.preparation.layout import WORDS, Layout, Sample
from equimodal.preparation.record import FILE as PREPARED
from equimodal.preparation.tables import MANIFESTS, list_places
from equimodal.preparation.walking import entries_of, look_through

ENDINGS: dict[str, Medium] = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"), "image"),
    **dict.fromkeys((*SOUNDFILE, ".m4a", ".aac", ".wma"), "audio"),
    **dict.fromkeys((".mp4", ".flv", ".avi", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".wmv"), "video"),
    ".txt": "text",
    ".npy": "array",
}
"""What a file most likely holds, by its ending."""


def read_class_folders(folder: Path, video_sound: bool = False) -> Layout:
    """Return the samples in folders that are named after classes.

    Files of one class with the same name but for its ending are one sample: `cat/1.jpg` and `cat/1.wav`. Its id is
    `cat/1`. Where all folders directly below are named after parts (train, val, test; see
    `equimodal.preparation.layout.WORDS`), the classes lie below them. Hidden files and `.md` are passed over. Links are
    followed within the folder.

    Args:
        folder: that holds the others.
        video_sound: take the modality `audio` out of the videos.

    Raises:
        DataError: the folder is of another form; all mistakes are reported at once.
    """
    root = folder.resolve()
    below = [path for path in entries_of(root) if not path.name.startswith(".")]
    named = [path for path in below if path.is_dir() and path.name.lower() in WORDS]
    parted = bool(named) and all(path in named or not path.is_dir() for path in below)
    found = look_through(root)
    problems = [*found.problems(root), *_mixed(below, named)]
    made = {path.parent for path in found.files if path.name == PREPARED}
    loose: list[str] = []
    classes: dict[Path, list[Path]] = {}
    for path in found.files:
        if path.suffix.lower() == ".md" or not made.isdisjoint(path.parents):
            continue
        inside = path.relative_to(root).parts
        if len(inside) < 2 + parted:
            loose.append("/".join(inside))
        else:
            classes.setdefault(root.joinpath(*inside[: 1 + parted]), []).append(path)
    if loose:
        tables = [name for name in loose if name.lower().endswith(MANIFESTS)]
        hint = f" If it is a manifest, give it in place of the folder: {folder / tables[0]}." if tables else ""
        problems.append(f"Files outside of a class's folder: {list_places(loose)}. Move them into one.{hint}")
    samples = _samples(classes, root, parted, video_sound, problems)
    if not samples and not problems:
        raise DataError(
            f"{folder}: holds no file in a folder of a class. Expected {folder}/CLASS/FILE; for any other form write a "
            "manifest (see docs/data/media.md)."
        )
    problems += _of_media(samples)
    raise_problems(problems, str(folder))
    tops = [path for part in below for path in (entries_of(part) if parted and part.is_dir() else [part])]
    bare = [path for path in tops if path.is_dir() and path not in classes and path not in made]
    notes = [
        f"{what}: {list_places([path.relative_to(root).as_posix() for path in sorted(paths)])}."
        for what, paths in {"Folders that hold no file": bare, "Prepared folders are passed over": made}.items()
        if paths
    ]
    media: dict[str, Medium] = {}
    for sample in samples:
        for modality in sample.cells:
            media.setdefault(modality, next(medium for medium in ENDINGS.values() if medium == modality))
    order = list(dict.fromkeys(ENDINGS.values()))
    return Layout(dict(sorted(media.items(), key=lambda item: order.index(item[1]))), samples, root, notes)


def _mixed(below: list[Path], named: list[Path]) -> list[str]:
    """Return what is wrong where only some folders are parts: a class may be called `train`, but not two of them."""
    other = [path.name for path in below if path.is_dir() and path not in named]
    if len({WORDS[path.name.lower()] for path in named}) < 2 or not other:
        return []
    return [
        f"Folders of parts ({', '.join(path.name for path in named)}) lie beside other folders ({list_places(other)}). "
        "Move the other ones away, or move all classes into parts."
    ]


def _of_media(samples: Sequence[Sample]) -> list[str]:
    """Return what is wrong where each folder holds files of one kind, and no two the same: they are no classes."""
    kinds: dict[str, set[Medium]] = {}
    for each in samples:
        files = (cell for cell in each.cells.values() if isinstance(cell, Path))
        kinds.setdefault(str(each.label), set()).update(ENDINGS[file.suffix.lower()] for file in files)
    every = [kind for found in kinds.values() for kind in found]
    if len(kinds) < 2 or not len(kinds) == len(every) == len(set(every)):
        return []
    listed = ", ".join(f"{label} ({next(iter(found))})" for label, found in sorted(kinds.items()))
    return [
        f"Expected folders of classes, got a folder for each kind of file: {listed}. Put the files of a class into one "
        "folder (CLASS/1.jpg, CLASS/1.wav), or write a manifest (see docs/data/media.md)."
    ]


def _samples(
    classes: Mapping[Path, Sequence[Path]], root: Path, parted: bool, video_sound: bool, problems: list[str]
) -> list[Sample]:
    samples: list[Sample] = []
    unknown: list[str] = []
    twice: list[str] = []
    for label, files in classes.items():
        found: dict[str, dict[str, Path]] = {}
        for path in files:
            shown = path.relative_to(root)
            medium = ENDINGS.get(path.suffix.lower())
            if medium is None:
                unknown.append(shown.as_posix())
                continue
            cells = found.setdefault(shown.with_suffix("").as_posix(), {})
            if medium in cells:
                twice.append(f"{shown.as_posix()} and {cells[medium].name}")
            cells[medium] = path
            if video_sound and medium == "video":
                cells.setdefault("audio", path)
        split = WORDS[label.parent.name.lower()] if parted else None
        samples += [Sample(name, cells, label=label.name, split=split) for name, cells in found.items()]
    if unknown:
        problems.append(
            f"Of no kind that is known: {list_places(unknown)}. Move them away. Known: {', '.join(ENDINGS)}."
        )
    if twice:
        problems.append(f"Two files of one kind for one sample: {list_places(twice)}. Rename one of each.")
    return samples
