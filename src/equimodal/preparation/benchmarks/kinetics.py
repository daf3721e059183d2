"""Kinetics-400, any classes of it, and Kinetics-Sounds: clips of ten seconds from YouTube."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.clip_lists import NAME, Listed, annotated, by_folder, plain
from equimodal.preparation.division import Share, divide
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.lists import read_lines
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree, count_notes

SOUNDS = (
    "blowing nose", "blowing out candles", "bowling", "chopping wood", "dribbling basketball", "laughing",
    "mowing lawn", "playing accordion", "playing bagpipes", "playing bass guitar", "playing clarinet",
    "playing drums", "playing guitar", "playing harmonica", "playing keyboard", "playing organ", "playing piano",
    "playing saxophone", "playing trombone", "playing trumpet", "playing violin", "playing xylophone",
    "ripping paper", "shoveling snow", "shuffling cards", "singing", "stomping grapes", "strumming guitar",
    "tap dancing", "tapping guitar", "tapping pen", "tickling",
)  # fmt: skip
"""The 32 classes of Kinetics-400 that Kinetics-Sounds is made of; work with 31 leaves out strumming guitar."""


class Clips(Benchmark):
    """What Kinetics and Kinetics-Sounds have in common.

    Where annotations (`train.csv`, `val.csv`, `test.csv`) are in the download, they say class and part of each clip.
    Clips that are not there are counted and left out: videos vanish from YouTube. Without annotations folders say both:
    `train/playing guitar/`, with spaces or underscores. Where there are no clips of test, those of val are test.

    Args:
        split: `official`, `drawn` (no video in two parts), or a file with the columns id and split.
        validation: share of training that becomes validation where there is none.
    """

    source = "https://github.com/cvdfoundation/kinetics-dataset"
    terms = "annotations CC BY 4.0; the videos are under the terms of YouTube"
    expected = """
train/playing guitar/-3B32lodo2M_000059_000069.mp4 (the class's folder may be left out if there are annotations)
val/...
train.csv, val.csv, test.csv with label,youtube_id,time_start,time_end,split (may be left out if there are folders)
"""
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=10.0, hop=512)

    split: str = "official"
    validation: Share = 0.1

    def chosen(self, known: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return the classes that are asked for, in order, of those that the download knows; and notes."""
        raise NotImplementedError

    def read(self, tree: Tree) -> Layout:
        """Return one sample per clip of the classes that are asked for."""
        files = {(match["video"], int(match["start"])): path for match, path in tree.named(NAME)}
        if not files:
            raise tree.unlike("clips named like -3B32lodo2M_000059_000069.mp4 were")
        clips = annotated(tree) or [Listed(key, *by_folder(tree, path)) for key, path in files.items()]
        classes, notes = self.chosen(sorted({clip.label for clip in clips}))
        wanted = set(classes)
        clips = [clip for clip in clips if clip.label in wanted]
        here = [clip for clip in clips if clip.key in files]
        tree.check_whole(dict.fromkeys(classes, 1), Counter(clip.label for clip in here), "clips of")
        parts, listed = Counter(clip.part for clip in here), Counter(clip.part for clip in clips)
        notes += [
            f"{part}: {count - parts[part]} of {count} clips are not there, and left out."
            for part, count in sorted(listed.items(), key=str)
            if count > parts[part]
        ]
        moved: dict[str | None, str] = {}
        if self.split == "official":
            if None in parts or not parts["train"]:
                raise tree.unlike(
                    "a folder or an annotation that says which clips are train was", "Or: -s split=drawn."
                )
            if parts["validation"] and not parts["test"]:
                moved = {"validation": "test"}
                notes.append("There are no clips of test: those of val are test.")
        samples = [
            Sample(
                files[clip.key].stem,
                {"audio": files[clip.key], "video": files[clip.key]},
                clip.label,
                moved.get(clip.part, clip.part),
                clip.key[0] if self.split == "drawn" else None,
            )
            for clip in here
        ]
        divided, more = divide(samples, self.split, self.validation)
        return Layout({"audio": "audio", "video": "video"}, divided, tree.root, notes + more, classes=classes)


def _from_file(file: str, known: Sequence[str]) -> list[str]:
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"-s: classes: no such file: '{file}'. Give one with a class's name per line.")
    first: dict[str, str] = {}
    for place, match in read_lines(path, r"(?:.*,)?\s*(?P<name>[^,]+)", "playing guitar (or id,10,playing guitar)"):
        first.setdefault(plain(match["name"]), place)
    wrong = {name: f"{place} ('{name}')" for name, place in first.items() if name not in known}
    if wrong:
        raise DataError(
            f"{path}: no clips of the class in {list_places(list(wrong.values()))}."
            f"{did_you_mean(next(iter(wrong)), known)} Correct the names, or finish the download."
        )
    return sorted(first)


@BENCHMARKS.register("kinetics")
class Kinetics(Clips):
    """Kinetics-400 (Kay et al., 2017), or classes of it: actions in clips of ten seconds, with their sound.

    See `Clips` for what is read.

    Args:
        classes: `all`, or a file with a class's name in each line, or lines `id,10,name`.
    """

    title = "Kinetics-400, or some of its 400 actions: sound and video"
    classes: str = "all"

    def chosen(self, known: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return all classes, or those of the file."""
        if self.classes != "all":
            return _from_file(self.classes, known), []
        return known, count_notes({"classes": len(known)}, {"classes": 400})


@BENCHMARKS.register("kinetics_sounds")
class KineticsSounds(Clips):
    """Kinetics-Sounds (Arandjelovic and Zisserman, 2017): actions of Kinetics-400, seen and heard.

    See `Clips` for what is read.

    Args:
        classes: 31 or 32, see `SOUNDS`; or a file with a class's name in each line, or lines `id,10,name`.
    """

    title = "Kinetics-Sounds: sound and video, 31 or 32 actions of Kinetics-400"
    classes: Literal[31, 32] | str = 31

    def chosen(self, known: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return 31 or 32 classes, or those of the file."""
        if isinstance(self.classes, str):
            return _from_file(self.classes, known), []
        return [name for name in SOUNDS if self.classes == 32 or name != "strumming guitar"], []
