"""IEMOCAP: dialogues of two actors, turn by turn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from equimodal.errors import DataError
from equimodal.media.clip import Clip
from equimodal.media.forms import Medium
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.encodings import read_undeclared
from equimodal.preparation.layout import Cell, Layout, Sample, path_of
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree, count_notes, nonzero_notes

LABELS = {
    4: {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"},
    6: {"ang": "angry", "hap": "happy", "exc": "excited", "sad": "sad", "fru": "frustrated", "neu": "neutral"},
}
"""By the number of classes, what the labels become."""
_OTHERS = ("fru", "fea", "sur", "dis", "oth", "xxx")
"""Labels that may be left out."""
_PUBLISHED = {4: 5531, 6: 7380}
_PLACES = {
    "ratings": "dialog/EmoEvaluation",
    "texts": "dialog/transcriptions",
    "sound": "dialog/wav",
    "video": "dialog/avi/DivX",
    "sentences": "sentences/wav/[^/]+",
}
_FILE = (
    f"Session[1-5]/(?:{'|'.join(f'(?P<{key}>{place})' for key, place in _PLACES.items())})"
    r"/(?P<name>Ses0[1-5][FM]_\w+)\.(?:txt|wav|avi)"
)
_TURN = re.compile(
    r"\[(?P<start>\d+(?:\.\d+)?) - (?P<end>\d+(?:\.\d+)?)\]\t"
    r"(?P<name>Ses0(?P<session>[1-5])(?P<recorded>[FM])_\w+_(?P<speaker>[FM])\w+)\t(?P<label>\w+)\t\[.*\]"
)
_TEXT = re.compile(r"(?P<name>Ses0[1-5][FM]_\w+)\s+\[[\d.]+-[\d.]+\]:\s*(?P<text>.*)")


@BENCHMARKS.register("iemocap")
class Iemocap(Benchmark):
    """IEMOCAP (Busso et al., 2008): ten actors in five sessions of dialogues, as text, speech and video.

    A turn's sound is its own file, and else a section of the dialogue's. Its video is a section of the dialogue's, of
    which the half that shows the speaker is kept: the left one shows the actor whose movements were recorded, whom the
    letter after `SesNN` names.

    Args:
        classes: 4 (angry, happy or excited, neutral, sad) or 6 (excited by itself, and frustrated).
        groups: what parts do not share: `sessions` (5) or `speakers` (10).
        split: `drawn`, or a file with the columns id and split; see `equimodal.preparation.division`.
        validation: share of training that becomes validation where a file has none.
        video: read the videos too.
    """

    title = "IEMOCAP: text, speech and video of dialogues, 4 or 6 emotions, 10 actors"
    source = "https://sail.usc.edu/iemocap"
    terms = "on request, for research"
    expected = """
Session1/dialog/EmoEvaluation/Ses01F_impro01.txt
Session1/dialog/transcriptions/Ses01F_impro01.txt
Session1/dialog/wav/Ses01F_impro01.wav
Session1/dialog/avi/DivX/Ses01F_impro01.avi
Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav
"""
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=6.0)

    classes: Literal[4, 6] = 4
    groups: Literal["sessions", "speakers"] = "sessions"
    split: str = "drawn"
    validation: Share = 0.1
    video: bool = True

    def read(self, tree: Tree) -> Layout:
        """Return one sample per turn with one of the labels."""
        files: dict[str, dict[str, Path]] = {place: {} for place in _PLACES}
        for match, path in tree.placed(_FILE):
            files[next(place for place in _PLACES if match[place])].setdefault(match["name"], path)
        self._check(tree, files)
        texts = {
            match["name"]: match["text"]
            for path in files["texts"].values()
            for line in read_undeclared(path).split("\n")
            if (match := _TEXT.fullmatch(line.strip())) is not None
        }
        turns = [each for each in _turns(files["ratings"]) if each[1]["label"] in LABELS[self.classes]]
        samples = [self._sample(dialogue, turn, files, texts) for dialogue, turn in turns]
        notes = count_notes({"turns": len(samples)}, {"turns": _PUBLISHED[self.classes]})
        sections = [cell for each in samples for cell in each.cells.values() if isinstance(cell, Clip)]
        cut = {path_of(each) for each in sections}
        counted = {
            "Turns without a transcription": sum("text" not in each.cells for each in samples),
            "Turns whose sound is cut out of the dialogue": sum(each.half is None for each in sections),
            "Recordings of dialogues that are not there": sum(not path.is_file() for path in cut),
        }
        notes += nonzero_notes(counted)
        samples, said = divide(samples, self.split, self.validation, ways=("drawn",))
        media: dict[str, Medium] = {"text": "text", "audio": "audio"}
        if self.video:
            media["video"] = "video"
        classes = tuple(dict.fromkeys(LABELS[self.classes].values()))
        return Layout(media, samples, tree.root, notes + said, classes=classes)

    def _check(self, tree: Tree, files: dict[str, dict[str, Path]]) -> None:
        """Check that no session lacks one of its folders."""
        needed = {"ratings": ("ratings",), "texts": ("texts",), "sound": ("sound", "sentences")}
        if self.video:
            needed["video"] = ("video",)
        absent = [
            f"Session{session}/{_PLACES[place]}"
            for session in range(1, 6)
            for place, any_of in needed.items()
            if not any(name[4] == str(session) for each in any_of for name in files[each])
        ]
        if absent:
            only = all(place.endswith(_PLACES["video"]) for place in absent)
            advice = "Unpack all of the release" + (", or leave videos out with -s video=false." if only else ".")
            raise tree.unlike(f"files of {list_places(absent)} were", advice if any(files.values()) else "")

    def _sample(
        self, dialogue: Path, turn: re.Match[str], files: dict[str, dict[str, Path]], texts: dict[str, str]
    ) -> Sample:
        name, start, end = turn["name"], float(turn["start"]), float(turn["end"])
        around = dialogue.parents[1]
        sound = files["sound"].get(dialogue.stem, around / "wav" / f"{dialogue.stem}.wav")
        cells: dict[str, Cell] = {"audio": files["sentences"].get(name) or Clip(sound, start, end)}
        if texts.get(name):
            cells["text"] = texts[name]
        if self.video:
            path = files["video"].get(dialogue.stem, around / "avi" / "DivX" / f"{dialogue.stem}.avi")
            half = "left" if turn["speaker"] == turn["recorded"] else "right"
            cells["video"] = Clip(path, start, end, half)
        session, speaker = turn["session"], turn["speaker"]
        group = f"session {session}" if self.groups == "sessions" else f"speaker {session}{speaker}"
        return Sample(name, cells, label=LABELS[self.classes][turn["label"]], group=group)


def _turns(ratings: dict[str, Path]) -> list[tuple[Path, re.Match[str]]]:
    """Return all turns, each with the file that says its times and label.

    Raises:
        DataError: lines are of another form; all of them are counted.
    """
    turns: list[tuple[Path, re.Match[str]]] = []
    wrong: list[str] = []
    for path in ratings.values():
        lines = [(n, line.strip()) for n, line in enumerate(read_undeclared(path).split("\n"), 1) if line[:1] == "["]
        for number, line in lines:
            match = _TURN.fullmatch(line)
            if match and match["label"] in (*LABELS[6], *_OTHERS) and float(match["start"]) < float(match["end"]):
                turns.append((path, match))
            else:
                wrong.append(f"{path.name} line {number} ('{line[:60]}')")
        if not lines:
            wrong.append(f"{path.name} (no turn)")
    if wrong:
        raise DataError(
            f"dialog/EmoEvaluation: expected lines like '[6.2901 - 8.2357]<tab>Ses01F_impro01_F000<tab>neu<tab>[2.5, "
            f"2.5, 2.5]', but not so in {list_places(wrong)}. Take the files as they are in the release."
        )
    return turns
