"""MELD: utterances of a television series."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

from equimodal.data.checks import raise_problems
from equimodal.errors import ConfigError, DataError
from equimodal.media.forms import Medium
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.encodings import read_undeclared
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.lists import read_columns
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree, count_notes, verb_of

CLASSES = {
    "emotion": ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"),
    "sentiment": ("negative", "neutral", "positive"),
}
_PARTS = {
    "train": ("train_sent_emo.csv", "train_splits"),
    "validation": ("dev_sent_emo.csv", "dev_splits_complete"),
    "test": ("test_sent_emo.csv", "output_repeated_splits_test"),
}
"""By part, the list and the folder of videos."""
_PUBLISHED = {"train": 9989, "validation": 1109, "test": 2610}
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")


@BENCHMARKS.register("meld")
class Meld(Benchmark):
    """MELD (Poria et al., 2019): utterances in dialogues of "Friends", as text, speech and video.

    Args:
        labels: `emotion` (7 classes) or `sentiment` (3).
        split: `official`, `drawn`, or a file with the columns id and split; see `equimodal.preparation.division`.
        groups: what parts do not share: `dialogues`, or `speakers` (by name), which the official split shares.
        validation: share of training that becomes validation where a file has none.
    """

    title = "MELD: text, speech and video of a series, 7 emotions or 3 sentiments"
    source = "https://affective-meld.github.io"
    terms = "GPL-3.0 (the lists); the clips are from a television series, for research"
    expected = "\n".join(f"{name}, {folder}/dia0_utt0.mp4" for name, folder in _PARTS.values())
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=6.0)

    labels: Literal["emotion", "sentiment"] = "emotion"
    split: str = "official"
    groups: Literal["dialogues", "speakers"] = "dialogues"
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per line of the lists."""
        if self.groups == "speakers" and self.split == "official":
            raise ConfigError("-s: groups=speakers: the official split shares speakers. Say -s split=drawn too.")
        lists = {part: path for part, (name, _) in _PARTS.items() if (path := tree.one(name)) is not None}
        absent = [name for part, (name, _) in _PARTS.items() if part not in lists]
        if absent:
            advice = "Take the lists of data/MELD in its repository." if lists else ""
            raise tree.unlike(f"{', '.join(absent)} {verb_of(absent)}", advice)
        videos: dict[str, dict[str, Path]] = {folder: {} for _, folder in _PARTS.values()}
        for match, path in tree.placed(rf"(?P<folder>{'|'.join(videos)})/dia\d+_utt\d+\.mp4"):
            videos[match["folder"].lower()].setdefault(path.name.lower(), path)
        problems: list[str] = []
        rows = [row for part, path in lists.items() for row in self._rows(part, path, problems)]
        raise_problems(problems, "the lists")
        listed = Counter(_PARTS[str(row.split)][1] for row in rows)
        tree.check_whole(listed, {folder: len(found) for folder, found in videos.items()}, "videos in")
        samples: list[Sample] = []
        gone: list[str] = []
        for row in rows:
            folder, name = _PARTS[str(row.split)][1], f"{row.id.split('/')[1]}.mp4"
            video = videos[folder].get(name)
            if video is None:
                video = next(iter(videos[folder].values())).with_name(name)
                gone.append(f"{folder}/{name}")
            samples.append(replace(row, cells={**row.cells, "audio": video, "video": video}))
        notes = count_notes(
            Counter(f"utterances of {row.split}" for row in rows),
            {f"utterances of {part}": count for part, count in _PUBLISHED.items()},
        )
        if gone:
            notes.append(f"Videos that the lists name and that are not there: {list_places(gone)}.")
        unlisted = sum(map(len, videos.values())) - len(rows) + len(gone)
        if unlisted:
            notes.append(f"Videos that no list names, and that are left out: {unlisted}.")
        samples, said = divide(samples, self.split, self.validation)
        media: dict[str, Medium] = {"text": "text", "audio": "audio", "video": "video"}
        return Layout(media, samples, tree.root, notes + said, classes=CLASSES[self.labels])

    def _rows(self, part: str, path: Path, problems: list[str]) -> list[Sample]:
        """Return the lines of a list, with their text alone; what is wrong with them is added to the problems."""
        try:
            table = read_columns(path, _COLUMNS, read_undeclared)
        except DataError as error:
            problems.append(str(error))
            return []
        known = CLASSES[self.labels]
        rows: dict[str, Sample] = {}
        wrong: list[str] = []
        for place, *cells in zip(table.places, *(table.cells[name] for name in _COLUMNS), strict=True):
            text, speaker, emotion, sentiment, dialogue, number = (cell or "" for cell in cells)
            label = (emotion if self.labels == "emotion" else sentiment).lower()
            name = f"{part}/dia{dialogue}_utt{number}"
            numbered = dialogue.isdigit() and number.isdigit()
            if label not in known or not numbered or not speaker or name in rows:
                wrong.append(f"{place} ('{','.join(filter(None, cells))[:60]}')")
                continue
            group = speaker if self.groups == "speakers" else f"{part} dialogue {dialogue}"
            rows[name] = Sample(name, {"text": text} if text else {}, label=label, split=part, group=group)
        if wrong:
            problems.append(
                f"{path}: expected a speaker, one of {', '.join(known)}, and a dialogue and utterance that are listed "
                f"once, but not so in {list_places(wrong)}. Take the list as it is downloaded."
            )
        return list(rows.values())
