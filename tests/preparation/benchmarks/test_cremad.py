"""CREMA-D: a small tree of real media, as the repository has it, and lists of clips as that line of work has them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import stft

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, sound, tone, video

need("av", "soundfile", "PIL")

EMOTIONS = ("ANG", "SAD", "NEU", "FEA")
CLIPS = [
    f"{actor}_{sentence}_{emotion}_XX"
    for actor in (1001, 1002, 1003)
    for sentence in ("DFA", "IEO")
    for emotion in EMOTIONS
]


def build(root: Path) -> Path:
    """Three actors, two sentences and four emotions; one sound has the name with a single X, one video is not there."""
    (root / "AudioWAV").mkdir(parents=True)
    (root / "VideoFlash").mkdir()
    for number, clip in enumerate(CLIPS):
        name = clip[:-1] if clip == "1003_IEO_SAD_XX" else clip
        sound(root / "AudioWAV" / f"{name}.wav", tone(200 + 20 * number, 1.1, 22_050), 22_050, "FLOAT")
        if clip != "1003_IEO_FEA_XX":
            video(root / "VideoFlash" / f"{clip}.flv", [8 * number + 20] * 4, codec="flv")
    return root


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cremad"))


def lists(folder: Path, test: str = "IEO") -> list[str]:
    """Write the two lists, the first with a byte-order mark, and return the options that name them."""
    parts = {"train": [clip for clip in CLIPS if test not in clip], "test": [clip for clip in CLIPS if test in clip]}
    for part, clips in parts.items():
        text = "".join(f"{clip},{clip[9:12]}\r\n" for clip in clips)
        (folder / f"{part}.csv").write_bytes(text.encode("utf-8-sig" if part == "train" else "utf-8"))
    return ["split=line", *(f"{part}={folder / part}.csv" for part in parts)]


def test_the_download_becomes_data_grouped_by_actor(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("cremad"), frame_size=8, frames=2)
    found = prepare("cremad", tmp_path / "data", small, root=download, on_error="missing", workers=1)
    assert found.rows == 24 and found.unreadable == {"video": {"missing": 1}}
    assert found.notes == (
        "24 clips, published are 7442 (7418 fewer).",
        "3 actors, published are 91 (88 fewer).",
        "Clips without their video file: 1.",
    )
    data = load_path(tmp_path / "data")
    assert not isinstance(data, Splits)
    assert data.classes == ("neutral", "sad", "fear", "anger")
    assert data.ids.tolist() == sorted(CLIPS)
    names = {"ANG": "anger", "SAD": "sad", "NEU": "neutral", "FEA": "fear"}
    assert [data.classes[label] for label in np.asarray(data.labels)] == [names[clip[9:12]] for clip in sorted(CLIPS)]
    assert np.asarray(data.groups).tolist() == [f"actor {clip[:4]}" for clip in sorted(CLIPS)]
    assert data.present["audio"].all() and data.present["video"].sum() == 23
    greys = np.load(tmp_path / "data" / "columns" / "video.npy")[:2].mean(axis=(1, 2, 3, 4))
    assert greys == pytest.approx([8 * CLIPS.index(clip) + 20 for clip in sorted(CLIPS)[:2]], abs=4)


def test_sounds_become_what_published_code_makes_of_them(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("cremad"), frame_size=8, frames=1)
    prepare("cremad", tmp_path / "data", small, root=download, on_error="missing", workers=1)
    columns = tmp_path / "data" / "columns"
    assert not (columns / "audio_lengths.npy").exists()
    tiled = np.tile(tone(200 + 20 * CLIPS.index("1001_DFA_ANG_XX"), 1.1, 22_050).astype(float), 3)[: 3 * 22_050]
    # SciPy divides by the sum of the window, and pads the last piece.
    _, _, found = stft(tiled, window="hann", nperseg=512, noverlap=512 - 353, boundary="zeros", padded=True)
    expected = np.log(np.abs(found.T[:188] * 256) + 1e-7)
    assert np.abs(np.load(columns / "audio.npy")[0] - expected).max() < 1e-3


def test_lists_of_clips_make_the_parts_and_validation_is_drawn_from_training(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("cremad"), frame_size=8, frames=1)
    options = [*lists(tmp_path), "validation=0.34"]
    found = prepare("cremad", tmp_path / "data", small, root=download, options=options, on_error="drop", workers=1)
    assert found.given == 24 and found.dropped == {"missing": 1}
    assert "12 clips in train.csv, published are 6698 (6686 fewer)." in found.notes
    parts = load_path(tmp_path / "data")
    assert isinstance(parts, Splits)
    assert {name: len(part) for name, part in parts.parts().items()} == {"train": 8, "validation": 4, "test": 11}
    assert all("IEO" in name for name in parts.test.ids) and all("DFA" in name for name in parts.validation.ids)
    assert set(np.asarray(parts.validation.labels)) == {0, 1, 2, 3}


def test_all_mistakes_of_the_lists_come_in_one_message(download: Path, tmp_path: Path) -> None:
    options = lists(tmp_path)
    (tmp_path / "train.csv").write_text("1001_DFA_ANG_XX,ANG\n1001_DFA_SAD_XX;SAD\n\n1002_DFA_ANG_XX,Anger\n")
    (tmp_path / "test.csv").write_text("1001_IEO_ANG_XX,ANG\n1001_IEO_ANG_XX,SAD\n")
    with pytest.raises(DataError) as error:
        prepare("cremad", tmp_path / "data", root=download, options=options)
    said = str(error.value)
    assert "line 2 ('1001_DFA_SAD_XX;SAD')" in said and "line 4 ('1002_DFA_ANG_XX,Anger')" in said
    assert "test line 2 (1001_IEO_ANG_XX, as in test line 1)" in said
    assert not (tmp_path / "data").exists()
    (tmp_path / "test.csv").unlink()
    with pytest.raises(DataError, match=r"(?s)2 problems.*line 2 .*test\.csv: cannot be read"):
        read_benchmark("cremad", download, options)


def test_labels_of_the_lists_count_and_what_differs_is_said(download: Path, tmp_path: Path) -> None:
    options = lists(tmp_path)
    (tmp_path / "test.csv").write_text("1001_IEO_ANG_XX,HAP\n1009_IEO_ANG_XX,ANG\n")
    layout = read_benchmark("cremad", download, options)
    assert [each.label for each in layout.samples if each.split == "test"] == ["happy", "anger"]
    assert "Labels of the lists that are not those of the clips' names: 1. Those of the lists count." in layout.notes
    assert "Clips that are in no list, and left out: 11." in layout.notes
    assert {"Clips without their audio file: 1.", "Clips without their video file: 1."} <= set(layout.notes)


def test_options_that_do_not_fit_together_are_told(download: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"-s train=FILE and -s test=FILE is missing"):
        read_benchmark("cremad", download, ["split=line"])
    with pytest.raises(ConfigError, match=r"-s: train and test: only for lists of clips"):
        read_benchmark("cremad", download, lists(tmp_path)[1:])


def test_a_wrong_root_and_half_a_download_are_told_what_is_missing(download: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"AudioWAV/1001_DFA_ANG_XX.wav and VideoFlash/1001_DFA_ANG_XX.flv were not found"
    ):
        read_benchmark("cremad", tmp_path)
    half = tmp_path / "half"
    shutil.copytree(download / "AudioWAV", half / "AudioWAV")
    with pytest.raises(
        DataError, match=r"files named like VideoFlash/\S+ were not found\. Files below it: 24 \(24 \.wav\)"
    ):
        prepare("cremad", tmp_path / "data", root=half)
    (half / "VideoFlash").mkdir()
    (half / "VideoFlash" / "1001_DFA_ANG_XX.flv").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )
    with pytest.raises(DataError, match=r"1 of 25 files are pointers of Git LFS.*git lfs pull"):
        prepare("cremad", tmp_path / "data", root=half)
    assert not (tmp_path / "data").exists()
