"""Damaged media of every kind in one manifest: each is named with its cause, and nothing else is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import check
from media.making import claim_more, need, picture, scene, sound, tone, video

need("av", "soundfile", "PIL")

SETTINGS = MediaSettings(image_size=16, frames=2, frame_size=16, sampling_rate=4000, seconds=0.5)
BAD = {
    ("cut", "image"): "cut short",
    ("cut", "audio"): "cut short",
    ("cut", "video"): "cut short",
    ("empty", "image"): "empty",
    ("empty", "audio"): "empty",
    ("empty", "video"): "empty",
    ("empty", "text"): "empty",
    ("ending", "image"): "damaged",
    ("ending", "audio"): "damaged",
    ("ending", "video"): "no pictures",
    ("mute", "audio"): "no sound",
    ("broken", "text"): "not text",
}
"""By sample and modality: what is unreadable, and why."""
GOOD = ("good", "one frame", "varying", "half a pair")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A sample for each way to be damaged, and four that are sound, though unusual."""
    lines = ["id,label,image,audio,video,text"]
    for number, name in enumerate(("cut", "empty", "ending", "mute", "broken", *GOOD)):
        picture(tmp_path / f"{name}.png", scene(number))
        sound(tmp_path / f"{name}.wav", tone(200 + 50 * number, 0.4))
        times = [0, 0.04, 0.5, 0.54] if name == "varying" else None
        video(tmp_path / f"{name}.mp4", [90] if name == "one frame" else [60, 90, 120, 150], times)
        (tmp_path / f"{name}.txt").write_text(f"words of {name}")
        heard = f"{name}.mp4" if name == "mute" else f"{name}.wav"
        seen = "" if name == "half a pair" else f"{name}.mp4"
        lines.append(f"{name},{'ab'[number % 2]},{name}.png,{heard},{seen},{name}.txt")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-300])
    claim_more(tmp_path / "cut.wav")
    video(tmp_path / "cut.avi", [n % 250 for n in range(0, 5000, 50)], codec="mpeg4", size=(96, 128))
    content = (tmp_path / "cut.avi").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    for ending in ("png", "wav", "mp4", "txt"):
        (tmp_path / f"empty.{ending}").write_bytes(b"")
    words, wave = (tmp_path / "ending.txt").read_bytes(), (tmp_path / "ending.wav").read_bytes()
    (tmp_path / "ending.png").write_bytes(words)
    (tmp_path / "ending.mp4").write_bytes(wave)
    (tmp_path / "ending.wav").write_bytes(words)
    (tmp_path / "broken.txt").write_bytes(b"gr\xfcn")
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "all.csv"


@pytest.mark.parametrize("on_error", ["missing", "drop"])
def test_each_is_named_and_nothing_else_is_lost(tmp_path: Path, manifest: Path, on_error: str) -> None:
    out = tmp_path / "made/out"
    record = prepare(manifest, out, SETTINGS, on_error=on_error, workers=1)  # pyright: ignore[reportArgumentType]
    with (out / "unreadable.csv").open(newline="") as file:
        found = {(line["id"], line["modality"]): line["cause"] for line in csv.DictReader(file)}
    assert found == BAD and check(out) == record
    ids = np.load(out / "columns/ids.npy").tolist()
    if on_error == "drop":
        assert ids == list(GOOD)
        assert record.dropped == {"cut short": 1, "empty": 1, "damaged": 1, "no sound": 1, "not text": 1}
        return
    assert ids == ["cut", "ending", "mute", "broken", *GOOD] and record.dropped == {"no modality left": 1}
    for modality in ("image", "audio", "video"):
        present = np.load(out / f"columns/{modality}_present.npy").tolist()
        rows = np.load(out / f"columns/{modality}.npy")
        for name, here, row in zip(ids, present, rows, strict=True):
            absent = (name, modality) in BAD or (name, modality) == ("half a pair", "video")
            assert here != absent and row.any() != absent, (name, modality)
    texts = (out / "columns/text.txt").read_text().splitlines()
    assert texts == ["" if (name, "text") in BAD else f"words of {name}" for name in ids]
    seen = np.load(out / "columns/video.npy").mean((2, 3, 4))
    assert seen[ids.index("one frame")] == pytest.approx([90, 90], abs=3)
    assert seen[ids.index("varying")] == pytest.approx([90, 90], abs=3)  # on the screen from 0.04 to 0.5 s


def test_mistakes_of_the_manifest_come_first_and_together(tmp_path: Path, manifest: Path) -> None:
    text = manifest.read_text().replace("one frame,", "good,", 1)
    (tmp_path / "m.csv").write_text(text.replace("varying,b", "varying,").replace("half a pair.png", "no.png"))
    with pytest.raises(DataError) as error:
        prepare(tmp_path / "m.csv", tmp_path / "made/out", SETTINGS)
    for part in ("the same id again in line 8 ('good', as in line 7)", "empty in line 9", "line 10 (image: 'no.png')"):
        assert part in str(error.value)
    assert not (tmp_path / "made").exists()
