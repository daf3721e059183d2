"""MUStARD: sarcasm in television series."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equimodal.data.checks import raise_problems
from equimodal.errors import DataError
from equimodal.media.forms import Medium
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.encodings import read_undeclared
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree, count_notes, verb_of

CLASSES = ("not sarcastic", "sarcastic")
_LIST = "sarcasm_data.json"
_FOLDER = "utterances_final"
_TEST = "FRIENDS"
_PUBLISHED = {"utterances": 690}


@BENCHMARKS.register("mustard")
class Mustard(Benchmark):
    """MUStARD (Castro et al., 2019): sarcastic utterances and others of four series, as text, speech and video.

    What was said before an utterance is not read. Speakers are the groups.

    Args:
        split: `official`: the speaker-independent one of its authors, in which "Friends" is the test part; validation
            is drawn from training. `drawn`, or a file with the columns id and split; see
            `equimodal.preparation.division`.
        validation: share of training that becomes validation where there is none.
    """

    title = "MUStARD: text, speech and video of series, sarcastic or not"
    source = "https://github.com/soujanyaporia/MUStARD"
    terms = "MIT (the list); the clips are from television series, for research"
    expected = f"data/{_LIST}\nmmsd_raw_data/{_FOLDER}/1_60.mp4"
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=6.0)

    split: str = "official"
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per entry of the list."""
        path = tree.one(_LIST)
        videos = {video.stem: video for _, video in tree.placed(rf"{_FOLDER}/[^/]+\.mp4")}
        absent = [what for what, found in ((_LIST, path), (f"{_FOLDER}/1_60.mp4", videos)) if not found]
        if path is None or absent:
            raise tree.unlike(f"{' and '.join(absent)} {verb_of(absent)}", _ADVICE)
        entries = _entries(path)
        self._check(path, entries)
        place = next(iter(videos.values()))
        samples = []
        for name, entry in sorted(entries.items()):
            show = str(entry.get("show") or "").upper()
            video = videos.get(name, place.with_name(f"{name}.mp4"))
            text = {"text": entry["utterance"]} if entry["utterance"].strip() else {}
            samples.append(
                Sample(
                    name,
                    {**text, "audio": video, "video": video},
                    label=CLASSES[entry["sarcasm"]],
                    split="test" if show == _TEST else "train",
                    group=f"{show} {entry['speaker']}".strip(),  # names such as PERSON are in several series
                )
            )
        notes = count_notes({"utterances": len(samples)}, _PUBLISHED)
        gone = [f"{each.id}.mp4" for each in samples if each.id not in videos]
        if gone:
            notes.append(f"Videos that the list names and that are not there: {list_places(gone)}.")
        samples, said = divide(samples, self.split, self.validation)
        media: dict[str, Medium] = {"text": "text", "audio": "audio", "video": "video"}
        return Layout(media, samples, tree.root, notes + said, classes=CLASSES)

    def _check(self, path: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
        kinds = {"utterance": str, "speaker": str, "sarcasm": bool}
        wrong = [
            f"{name} ({key}: {json.dumps(entry.get(key))[:40]})"
            for name, entry in entries.items()
            for key, kind in kinds.items()
            if not isinstance(entry.get(key), kind)
        ]
        problems = []
        if wrong:
            problems.append(
                f"{path}: expected a text as utterance and as speaker, and true or false as sarcasm, but not so in "
                f"{list_places(wrong)}. Take the list as it is downloaded."
            )
        shows = {str(entry.get("show") or "").upper() for entry in entries.values()}
        if self.split == "official" and ("" in shows or _TEST not in shows):
            problems.append(
                f"{path}: the official split is by series, but not every entry has a 'show', or none is '{_TEST}': "
                "this is an early version of the list. Take the present one, or draw a split with -s split=drawn."
            )
        raise_problems(problems, str(path))


_ADVICE = f"{_LIST} is in the repository, and {_FOLDER} in mmsd_raw_data.zip, which its README links to."


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(read_undeclared(path))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}). Download it again.") from error
    if not isinstance(content, dict) or not content or not all(isinstance(each, dict) for each in content.values()):
        raise DataError(f'{path}: expected {{"1_60": {{"utterance": ..., "sarcasm": ...}}, ...}}. Download it again.')
    return content
