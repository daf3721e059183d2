"""CREMA-D: acted speech and faces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from equimodal.data.checks import raise_problems
from equimodal.errors import ConfigError, DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.lists import read_lines
from equimodal.preparation.tables import list_places
from equimodal.preparation.tree import Tree, count_notes

EMOTIONS = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "FEA": "fear", "DIS": "disgust", "ANG": "anger"}
"""By the third part of a name, in the order in which they are numbered."""
_PLACES = {"audio": "AudioWAV/1001_DFA_ANG_XX.wav", "video": "VideoFlash/1001_DFA_ANG_XX.flv"}
_PUBLISHED = {"clips": 7442, "actors": 91}
_LINES = {"train": 6698, "test": 744}
_CLIP = r"(?P<stem>1\d{3}_[A-Z]{3}_(?:NEU|HAP|SAD|FEA|DIS|ANG)_)(?P<level>XX?|LO|MD|HI)"


@BENCHMARKS.register("cremad")
class Cremad(Benchmark):
    """CREMA-D (Cao et al., 2014): 91 actors say twelve sentences in six emotions.

    Args:
        split: `speakers`: drawn, with actors as groups, so that no actor is in two parts. `line`: the two lists of
            clips that work on balanced multimodal learning uses; actors are in both parts.
        train: the list of training clips, for `split=line`: lines `1001_DFA_ANG_XX,ANG`.
        test: that of test clips.
        validation: share of training that becomes validation, for `split=line`.
    """

    title = "CREMA-D: speech and face, 6 emotions, 91 actors"
    source = "https://github.com/CheyneyComputerScience/CREMA-D"
    terms = "Open Database License 1.0; contents: Database Contents License 1.0"
    expected = "\n".join(_PLACES.values())
    settings = MediaSettings(
        frames=4, frame_size=64, sampling_rate=22_050, seconds=3.0, window=512, hop=353, audio="picture", short="tile"
    )

    split: Literal["speakers", "line"] = "speakers"
    train: Path | None = None
    test: Path | None = None
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per clip, or per line of the lists."""
        lists = self._lists()
        files: dict[str, dict[str, Path]] = {"audio": {}, "video": {}}
        for match, path in tree.named(rf"{_CLIP}\.(?P<ending>wav|flv)"):
            files["audio" if match["ending"].lower() == "wav" else "video"].setdefault(_clip(match), path)
        absent = [place for name, place in _PLACES.items() if not files[name]]
        if absent:
            raise tree.unlike(f"files named like {' and '.join(absent)} were")
        tree.check_content([path for found in files.values() for path in found.values()])
        clips = sorted(files["audio"].keys() | files["video"].keys())
        notes = count_notes({"clips": len(clips), "actors": len({clip[:4] for clip in clips})}, _PUBLISHED)
        if self.split == "speakers":
            samples = [
                Sample(clip, _cells(files, clip), label=EMOTIONS[clip.split("_")[2]], group=f"actor {clip[:4]}")
                for clip in clips
            ]
        else:
            named, listed = self._listed(lists, files)
            samples, more = divide(named, "official", self.validation)
            notes += listed + more
        for name, found in files.items():
            gone = sum(each.id not in found for each in samples)
            if gone:
                notes.append(f"Clips without their {name} file: {gone}.")
        return Layout({"audio": "audio", "video": "video"}, samples, tree.root, notes, classes=tuple(EMOTIONS.values()))

    def _lists(self) -> dict[str, Path]:
        """Return the two lists, or none."""
        given = {part: path for part, path in (("train", self.train), ("test", self.test)) if path is not None}
        if self.split == "speakers" and given:
            raise ConfigError(f"-s: {' and '.join(given)}: only for lists of clips. Say -s split=line too.")
        missing = [f"-s {part}=FILE" for part in _LINES if self.split == "line" and part not in given]
        if missing:
            raise ConfigError(
                f"-s: split=line: {' and '.join(missing)} is missing. Name the two lists, with lines like "
                "1001_DFA_ANG_XX,ANG: they come with the code of that work, and not with CREMA-D."
            )
        return given

    def _listed(
        self, lists: Mapping[str, Path], files: Mapping[str, Mapping[str, Path]]
    ) -> tuple[list[Sample], list[str]]:
        """Return a sample for each line of the lists, and what to know of them; all mistakes are reported at once."""
        samples: dict[str, Sample] = {}
        first: dict[str, str] = {}
        notes, problems, again = [], [], []
        other = 0
        for part, path in lists.items():
            try:
                lines = read_lines(path, rf"{_CLIP},\s*(?P<label>{'|'.join(EMOTIONS)})", "1001_DFA_ANG_XX,ANG")
            except DataError as error:
                problems.append(str(error))
                continue
            for place, match in lines:
                clip, place = _clip(match), f"{part} {place}"
                if first.setdefault(clip, place) != place:
                    again.append(f"{place} ({clip}, as in {first[clip]})")
                other += match["label"] != clip.split("_")[2]
                samples[clip] = Sample(clip, _cells(files, clip), label=EMOTIONS[match["label"]], split=part)
            notes += count_notes({f"clips in {path.name}": len(lines)}, {f"clips in {path.name}": _LINES[part]})
        if again:
            problems.append(f"A clip is listed again in {list_places(again)}. List each clip once.")
        raise_problems(problems, "the lists of clips")
        unused = len((files["audio"].keys() | files["video"].keys()) - samples.keys())
        if unused:
            notes.append(f"Clips that are in no list, and left out: {unused}.")
        if other:
            notes.append(
                f"Labels of the lists that are not those of the clips' names: {other}. Those of the lists count."
            )
        return list(samples.values()), notes


def _clip(match: re.Match[str]) -> str:
    """Return the name of a clip; that of one file ends with a single X in old copies."""
    name = f"{match['stem']}{match['level']}".upper()
    return name + "X" if name.endswith("_X") else name


def _cells(files: Mapping[str, Mapping[str, Path]], clip: str) -> dict[str, Path]:
    """Return the files of a clip; one that is not there is named where it should be, so that it is reported."""
    return {
        name: found.get(clip) or next(iter(found.values())).with_name(clip + (".wav" if name == "audio" else ".flv"))
        for name, found in files.items()
    }
