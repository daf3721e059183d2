"""AVE: events that are seen and heard, in videos of ten seconds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from equimodal.media.clip import Clip
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.lists import read_lines
from equimodal.preparation.tree import Tree, count_notes, nonzero_notes, verb_of

ALL = "Annotations.txt"
PARTS = {"train": "trainSet.txt", "validation": "valSet.txt", "test": "testSet.txt"}
_PUBLISHED = {
    "events of train": 3339,
    "events of validation": 402,
    "events of test": 402,
    "events": 4143,
    "classes": 28,
}
_SECONDS = 10
"""Length of the videos. Files are cut a little shorter or longer: an event until then lasts to the file's end."""
_FORM = (
    r"(?P<label>[^&]+)&(?P<video>[^&]+)&(?P<quality>[^&]+)&(?P<start>\d+(?:\.\d+)?)&(?P<end>\d+(?:\.\d+)?)"  # seconds
)


class Event(NamedTuple):
    """A line of a list: what happens in a video, and from which second to which."""

    video: str
    start: float
    end: float
    label: str


@BENCHMARKS.register("ave")
class Ave(Benchmark):
    """AVE (Tian et al., 2018): 28 events, each seen and heard in some seconds of a video of ten.

    A video may hold two events, and is a sample for each then.

    Args:
        section: `event`: sound and frames of the event's seconds; `video`: of the whole video.
        split: `official`, `drawn` (no video in two parts), or a file with the columns id and split.
        validation: share of training that becomes validation where a file has none.
    """

    title = "AVE: sound and video, 28 events"
    source = "https://github.com/YapengTian/AVE-ECCV18"
    terms = "for research; the videos are under the terms of YouTube"
    expected = f"""
AVE/---1_cCGK4M.mp4, ...
{ALL}, {", ".join(PARTS.values())}
"""
    settings = MediaSettings(frames=4, frame_size=64, audio="picture", sampling_rate=16_000, seconds=10.0, hop=512)

    section: Literal["event", "video"] = "event"
    split: str = "official"
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per event."""
        official = self.split == "official"
        events = self._events(tree, PARTS if official else {"": ALL})
        files = {path.stem: path for _, path in tree.named(r".*\.mp4")}
        tree.check_whole(
            Counter(event.label for event in events), Counter(e.label for e in events if e.video in files), "videos of"
        )
        times = Counter(event[:3] for event in events)
        samples: list[Sample] = []
        for event, part in events.items():
            path = files.get(event.video, tree.root / "AVE" / f"{event.video}.mp4")
            name = f"{event.video}_{event.start:g}_{event.end:g}"
            samples.append(
                Sample(
                    name if times[event[:3]] == 1 else f"{name}_{event.label}",
                    dict.fromkeys(("audio", "video"), self._cell(path, event)),
                    event.label,
                    part if official else None,
                    event.video if self.split == "drawn" else None,
                )
            )
        classes = sorted({event.label for event in events})
        counts = {f"events of {part}": count for part, count in Counter(events.values()).items()}
        counts |= {"events": len(events), "classes": len(classes)}
        notes = count_notes(
            counts, {what: count for what, count in _PUBLISHED.items() if official or " of " not in what}
        )
        counted = {
            "Events whose video is not there (see --on-error)": sum(event.video not in files for event in events),
            "Events of no length, for which the whole video is taken": (
                sum(event.end <= event.start for event in events) if self.section == "event" else 0
            ),
        }
        notes += nonzero_notes(counted)
        divided, more = divide(samples, self.split, self.validation)
        return Layout({"audio": "audio", "video": "video"}, divided, tree.root, notes + more, classes=classes)

    def _events(self, tree: Tree, names: dict[str, str]) -> dict[Event, str]:
        """Return the events of the lists, each once, with their parts."""
        files = {part: tree.one(name) for part, name in names.items()}
        missing = [names[part] for part, path in files.items() if path is None]
        if missing:
            raise tree.unlike(
                f"{', '.join(missing)} {verb_of(missing)}",
                f"Or draw a split of {ALL}: -s split=drawn." if tree.one(ALL) else "",
            )
        found: dict[Event, str] = {}
        for part, path in files.items():
            lines = read_lines(path or Path(), _FORM, "Church bell&RUhOCu3LNXM&good&0&10", header=r"category&.*")
            for _, match in lines:
                event = Event(match["video"], float(match["start"]), float(match["end"]), match["label"].strip())
                found.setdefault(event, part)
        return found

    def _cell(self, path: Path, event: Event) -> Path | Clip:
        if self.section == "video" or event.end <= event.start:
            return path
        end = None if event.end >= _SECONDS else event.end
        return Clip(path, event.start, end) if event.start or end else path
