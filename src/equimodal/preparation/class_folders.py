"""A folder per class, with or without a folder per part above them."""

from __future__ import annotations

from pathlib import Path

from equimodal.data.checks import raise_problems
from equimodal.errors import DataError
from equimodal.media.forms import Medium
from equimodal.media.sound import SOUNDFILE
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.manifest import SPLITS
from equimodal.preparation.tables import list_places

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
    `cat/1`. Where the folders directly below are named train, validation (or val, valid, dev) and test, they are parts,
    and the classes lie below them. Hidden files and `.md` are passed over.

    Args:
        folder: that holds the others.
        video_sound: take the modality `audio` out of the videos.

    Raises:
        DataError: the folder is of another form; all mistakes are reported at once.
    """
    root = folder.resolve()
    below = _visible(root)
    parted = bool(below) and all(
        each.is_dir() and each.name.lower() in SPLITS and not each.name.isdigit() for each in below
    )
    problems: list[str] = []
    loose = [path.name for path in below if not path.is_dir()]
    if loose:
        problems.append(f"Files outside of a class's folder: {list_places(loose)}. Move them into one.")
    samples: list[Sample] = []
    for top in below:
        split = SPLITS[top.name.lower()] if parted else None
        for label in [each for each in _visible(top) if each.is_dir()] if parted else [top]:
            if label.is_dir():
                samples += _samples(label, root, split, video_sound, problems)
    if not samples and not problems:
        raise DataError(
            f"{folder}: holds no file in a folder of a class. Expected {folder}/CLASS/FILE; for any other form write a "
            "manifest (see docs/data/media.md)."
        )
    raise_problems(problems, str(folder))
    media: dict[str, Medium] = {}
    for sample in samples:
        for modality in sample.cells:
            media.setdefault(modality, next(medium for medium in ENDINGS.values() if medium == modality))
    order = list(dict.fromkeys(ENDINGS.values()))
    return Layout(dict(sorted(media.items(), key=lambda item: order.index(item[1]))), samples, root)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() != ".md")


def _samples(label: Path, root: Path, split: str | None, video_sound: bool, problems: list[str]) -> list[Sample]:
    found: dict[str, dict[str, Path]] = {}
    unknown: list[str] = []
    twice: list[str] = []
    for path in sorted(label.rglob("*")):
        inside = path.relative_to(label)
        if path.is_dir() or path.suffix.lower() == ".md" or any(part.startswith(".") for part in inside.parts):
            continue
        shown = path.relative_to(root).as_posix()
        medium = ENDINGS.get(path.suffix.lower())
        if medium is None:
            unknown.append(shown)
            continue
        if not path.resolve().is_relative_to(root):
            problems.append(f"{shown}: leads out of {root}. Copy the file, or write a manifest with --root.")
            continue
        cells = found.setdefault(path.relative_to(root).with_suffix("").as_posix(), {})
        if medium in cells:
            twice.append(f"{shown} and {cells[medium].name}")
        cells[medium] = path
        if video_sound and medium == "video":
            cells.setdefault("audio", path)
    if unknown:
        problems.append(
            f"Of no kind that is known: {list_places(unknown)}. Move them away. Known: {', '.join(ENDINGS)}."
        )
    if twice:
        problems.append(f"Two files of one kind for one sample: {list_places(twice)}. Rename one of each.")
    return [Sample(name, cells, label=label.name, split=split) for name, cells in found.items()]
