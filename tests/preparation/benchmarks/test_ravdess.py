"""RAVDESS: a small tree of real media, as the archives unpack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import BENCHMARKS, read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, sound, tone, video

need("av", "soundfile", "PIL")


def build(root: Path) -> Path:
    """Recordings of three actors: audio only, video with sound, video without, and song."""
    for actor in (1, 2, 3):
        for emotion in (1, 3, 5):
            name = f"01-{emotion:02}-01-01-01-{actor:02}"
            folder = root / "Audio_Speech_Actors_01-24" / f"Actor_{actor:02}"
            folder.mkdir(parents=True, exist_ok=True)
            sound(folder / f"03-{name}.wav", tone(200 * emotion, 0.4), 16_000, "PCM_16")
            folder = root / f"Video_Speech_Actor_{actor:02}" / f"Actor_{actor:02}"
            folder.mkdir(parents=True, exist_ok=True)
            video(folder / f"02-{name}.mp4", [40 * emotion] * 5)
    folder = root / "Video_Speech_Actor_01" / "Actor_01"
    video(folder / "01-01-08-01-01-01-01.mp4", [90] * 5, wave=tone(300, 0.2, 22050))
    video(folder / "01-02-03-01-01-01-01.mp4", [90] * 5)
    return root


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("ravdess"))


def test_the_download_becomes_data_grouped_by_actor(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("ravdess"), frame_size=8, frames=2)
    found = prepare("ravdess", tmp_path / "data", small, root=download, workers=1)
    assert found.rows == 10
    assert found.notes == ("10 recordings of speech, published are 1440 (1430 fewer).",)
    data = load_path(tmp_path / "data")
    assert not isinstance(data, Splits)
    assert data.classes == ("neutral", "happy", "angry", "surprised")
    assert data.ids is not None and list(data.ids)[-1] == "01-08-01-01-01-01"
    assert set(np.asarray(data.groups)) == {"actor 01", "actor 02", "actor 03"}
    assert data.specs["video"].shape == (2, 8, 8, 3)
    assert all(data.present[name].all() for name in ("audio", "video"))


def test_the_sound_is_the_videos_where_there_is_no_other(download: Path) -> None:
    layout = read_benchmark("ravdess", download)
    alone = layout.samples[-1]
    assert alone.cells["audio"] == alone.cells["video"] and Path(str(alone.cells["audio"])).suffix == ".mp4"
    assert Path(str(layout.samples[0].cells["audio"])).suffix == ".wav"


def test_song_is_asked_for(download: Path) -> None:
    assert len(read_benchmark("ravdess", download, ["channel=song"]).samples) == 1
    assert len(read_benchmark("ravdess", download, ["channel=both"]).samples) == 11
    with pytest.raises(ConfigError, match=r"-s: channel: .*'speech', 'song' or 'both'.*got 'sing'"):
        read_benchmark("ravdess", download, ["channel=sing"])
    with pytest.raises(ConfigError, match=r"-s: Unknown key 'chanel'.*Did you mean 'channel'"):
        read_benchmark("ravdess", download, ["chanel=song"])


def test_a_wrong_root_is_told_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--root: is missing"):
        read_benchmark("ravdess", None)
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        read_benchmark("ravdess", tmp_path / "nowhere")
    (tmp_path / "videos").mkdir()
    (tmp_path / "Audio_Speech_Actors_01-24.zip").touch()
    with pytest.raises(DataError) as error:
        prepare("ravdess", tmp_path / "data", root=tmp_path)
    said = str(error.value)
    assert (
        "03-01-06-01-02-01-12.wav" in said and "1 .zip" in said and "Unpack the archives" in said and "videos" in said
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", BENCHMARKS.names())
def test_every_public_data_set_says_what_it_is(name: str) -> None:
    kind = BENCHMARKS.get(name)
    assert kind.__doc__ and kind.title and kind.source.startswith("http") and kind.terms and kind.expected.strip()
