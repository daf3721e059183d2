"""RAVDESS: acted speech, and song if asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.tree import Tree, count_notes

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""By the third number of a name, from 01."""
_CHANNELS = {"01": "speech", "02": "song"}
_PUBLISHED = {"speech": 1440, "song": 1012}
_NAME = (
    r"(?P<what>0[123])-(?P<id>(?P<channel>0[12])-(?P<emotion>0[1-8])-0[12]-0[12]-0[12]-(?P<actor>[012]\d))\.(?:wav|mp4)"
)


@BENCHMARKS.register("ravdess")
class Ravdess(Benchmark):
    """RAVDESS (Livingstone and Russo, 2018): 24 actors say two sentences in eight emotions.

    The audio is the WAV of the audio-only part where it is there, and else that of the video. The video is the one with
    sound where it is there, and else the one without. Actors are the groups: no actor is in two parts.

    Args:
        channel: speech (8 emotions), song (6), or both.
    """

    title = "RAVDESS: speech and face, 8 emotions, 24 actors"
    source = "https://zenodo.org/records/1188976"
    terms = "CC BY-NC-SA 4.0"
    expected = """
Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav
Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4
"""
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=4.0)

    channel: Literal["speech", "song", "both"] = "speech"

    def read(self, tree: Tree) -> Layout:
        """Return one sample per recording, by the last six numbers of its name."""
        files: dict[str, dict[str, Path]] = {}
        traits: dict[str, tuple[str, str]] = {}
        counts = dict.fromkeys(_CHANNELS.values(), 0)
        for match, path in tree.named(_NAME):
            channel = _CHANNELS[match["channel"]]
            if self.channel in (channel, "both"):
                if match["id"] not in files:
                    counts[channel] += 1
                files.setdefault(match["id"], {}).setdefault(match["what"], path)
                traits[match["id"]] = EMOTIONS[int(match["emotion"]) - 1], match["actor"]
        if not files:
            raise tree.unlike("recordings named like 03-01-06-01-02-01-12.wav were")
        samples = [
            Sample(name, _cells(found), label=traits[name][0], group=f"actor {traits[name][1]}")
            for name, found in sorted(files.items())
        ]
        published = {channel: count for channel, count in _PUBLISHED.items() if self.channel in (channel, "both")}
        notes = count_notes(
            {f"recordings of {channel}": count for channel, count in counts.items()},
            {f"recordings of {channel}": count for channel, count in published.items()},
        )
        return Layout({"audio": "audio", "video": "video"}, samples, tree.root, notes, classes=EMOTIONS)


def _cells(found: dict[str, Path]) -> dict[str, Path]:
    audio, video = found.get("03") or found.get("01"), found.get("01") or found.get("02")
    return {name: path for name, path in (("audio", audio), ("video", video)) if path is not None}
