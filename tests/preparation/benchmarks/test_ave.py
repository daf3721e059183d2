"""AVE: a small tree of videos of ten seconds, their sound a different tone in each event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import DataError
from equimodal.media.clip import Clip
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, tone, video

need("av", "PIL")

HEADER = "Category&VideoID&Quality&StartTime&EndTime"
PARTS = {
    "train": [
        "Church bell&-a_1&good&0&10",
        "Train horn&-a_2&good&1&3",
        "Church bell&-a_2&good&4&6",
        "Baby cry, infant cry&-a_6&good&0&4",
    ],
    "val": ["Train horn&-a_3&good&0&2"],
    "test": ["Train horn&-a_4&good&0&10", "Baby cry, infant cry&-a_5&good&5&5"],
}
"""A video with two events, and an event of no length."""


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames are dark in the first five seconds and light in the last; 200 Hz are heard, and then 3000 Hz."""
    root = tmp_path_factory.mktemp("ave")
    (root / "AVE").mkdir()
    wave = np.concatenate([tone(200, 3, 22050), tone(3000, 3, 22050)])
    for number in range(1, 7):
        video(root / "AVE" / f"-a_{number}.mp4", [40] * 9 + [200] * 9, rate=3, wave=wave)
    for part, lines in PARTS.items():
        (root / f"{part}Set.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = [line for part in PARTS.values() for line in part]
    (root / "Annotations.txt").write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return root


def test_the_download_becomes_the_official_splits(download: Path, tmp_path: Path) -> None:
    settings = settings_of(default_settings("ave"), frame_size=8, frames=2, audio="spectrogram")
    found = prepare("ave", tmp_path / "data", settings, root=download, options=["section=video"], workers=1)
    assert found.notes == (
        "4 events of train, published are 3339 (3335 fewer).",
        "1 events of validation, published are 402 (401 fewer).",
        "2 events of test, published are 402 (400 fewer).",
        "7 events, published are 4143 (4136 fewer).",
        "3 classes, published are 28 (25 fewer).",
    )
    data = load_path(tmp_path / "data")
    assert isinstance(data, Splits)
    assert data.train.classes == ("Baby cry, infant cry", "Church bell", "Train horn")
    assert data.train.ids is not None and list(data.train.ids) == ["-a_1_0_10", "-a_2_1_3", "-a_2_4_6", "-a_6_0_4"]
    assert np.asarray(data.train.labels).tolist() == [1, 2, 1, 0]
    assert [len(part) for part in data.parts().values()] == [4, 1, 2]


def test_the_seconds_of_an_event_are_cut_out(download: Path, tmp_path: Path) -> None:
    layout = read_benchmark("ave", download)
    cells = {each.id: each.cells["audio"] for each in layout.samples}
    path = download.resolve() / "AVE" / "-a_2.mp4"
    assert cells["-a_2_1_3"] == Clip(path, 1, 3) and cells["-a_2_4_6"] == Clip(path, 4, 6)
    assert cells["-a_5_5_5"] == path.with_name("-a_5.mp4")
    assert layout.notes[-1] == "Events of no length, for which the whole video is taken: 1."
    settings = settings_of(default_settings("ave"), frame_size=8, frames=2, audio="spectrogram")
    prepare("ave", tmp_path / "data", settings, root=download, on_error="drop", workers=1)
    frames = np.load(tmp_path / "data" / "columns" / "video.npy")[1:3]
    lengths = np.load(tmp_path / "data" / "columns" / "audio_lengths.npy")[1:3]
    sounds = np.load(tmp_path / "data" / "columns" / "audio.npy")[1:3]
    assert abs(frames[0].mean() - 40) < 10 and abs(frames[1].mean() - 200) < 10
    assert lengths.tolist() == [1 + 2 * 16_000 // 512] * 2
    loudest = [sound[: lengths[0] - 1].mean(axis=0).argmax() * 16_000 / 512 for sound in sounds]
    assert np.allclose(loudest, [200, 3000], atol=40)


def test_a_drawn_split_keeps_a_video_in_one_part(download: Path) -> None:
    samples = read_benchmark("ave", download, ["split=drawn"]).samples
    assert {each.split for each in samples} == {None}
    assert [each.group for each in samples if each.id.startswith("-a_2")] == ["-a_2", "-a_2"]


def test_two_events_of_the_same_seconds_are_two_samples(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").touch()  # not read: only the list counts here
    lines = ["Bus&b&good&0&10", "Truck&b&good&0&10", "Truck&b&good&0&10"]
    (tmp_path / "Annotations.txt").write_text("\n".join(lines), encoding="utf-8")
    samples = read_benchmark("ave", tmp_path, ["split=drawn"]).samples
    assert [(each.id, each.label) for each in samples] == [("b_0_10_Bus", "Bus"), ("b_0_10_Truck", "Truck")]


def test_wrong_roots_and_lists(download: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"trainSet.txt, valSet.txt, testSet.txt were not found\. Files below it: 6 \(6 .mp"
    ):
        prepare("ave", tmp_path / "none", root=download / "AVE")
    assert not (tmp_path / "none").exists()
    for path in download.glob("*.txt"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"videos of Baby cry, .* Train horn \(3 of 3 .*Finish the download"):
        read_benchmark("ave", tmp_path)
    (tmp_path / "valSet.txt").write_text("Bus&x&good&0\n\nBus,x\nBus&x&good&0&10\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"valSet.txt: expected lines like .*line 1 \('Bus&x&good&0'\), line 3 \('Bus,x'\)"
    ):
        read_benchmark("ave", tmp_path)
    (tmp_path / "valSet.txt").unlink()
    with pytest.raises(
        DataError, match=r"valSet.txt was not found.*Or draw a split of Annotations.txt: -s split=drawn"
    ):
        read_benchmark("ave", tmp_path)
