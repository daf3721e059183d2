"""Sections of files: what the whole file holds there, to a sample and a frame, without reading what comes before."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from equimodal.media.clip import Clip
from equimodal.media.forms import form_of, read_row
from equimodal.media.settings import MediaSettings
from equimodal.media.sound import read_sound
from equimodal.media.unreadable import Unreadable
from equimodal.media.video import read_video
from media.making import need, sound, tone, video

need("av", "soundfile", "PIL")
import av  # noqa: E402

RATE = 22050
NOISE = (np.random.default_rng(0).normal(0, 0.1, 6 * RATE)).astype(np.float32)
GREYS = [20 + 37 * n % 200 for n in range(120)]
"""Neighbours differ by 37 levels, so that a wrong frame is seen."""


def compare_sections(path: Path) -> None:
    """Compare sections as they are read with those cut out of the whole, at the file's own rate."""
    settings = MediaSettings(audio="waveform", sampling_rate=RATE, seconds=60)
    whole = read_sound(path, settings)[:, 0]
    for start, end in ((0.123, 0.5), (3.0001, 4.5), (None, 2.5), (4.3, None)):
        found = read_sound(Clip(path, start, end), settings)[:, 0]
        expected = whole[round((start or 0) * RATE) : len(whole) if end is None else round(end * RATE)]
        assert len(found) == len(expected) and np.abs(found - expected).max() < 1e-6, (start, end)


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", None)]
)
def test_sound_of_soundfile(tmp_path: Path, name: str, subtype: str | None) -> None:
    compare_sections(sound(tmp_path / name, NOISE, RATE, subtype))


@pytest.mark.parametrize(
    ("name", "codec", "sound_codec"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.flv", "flv", "mp3"),
        ("a.avi", "mpeg4", "mp3"),
        ("a.avi", "mpeg4", "pcm_s16le"),
        ("a.mkv", "libx264", "aac"),
    ],
)
def test_sound_of_videos(tmp_path: Path, name: str, codec: str, sound_codec: str) -> None:
    path = tmp_path / name
    compare_sections(video(path, [9] * 30, codec=codec, rate=5, size=(16, 16), wave=NOISE, sound_codec=sound_codec))


def test_a_section_hears_nothing_of_what_is_around_it(tmp_path: Path) -> None:
    wave = np.concatenate([np.ones(RATE, np.float32), np.zeros(RATE, np.float32), np.ones(RATE, np.float32)]) / 2
    settings = MediaSettings(audio="waveform", sampling_rate=16000)
    assert not read_sound(Clip(sound(tmp_path / "a.wav", wave, RATE), 1, 2), settings).any()


def frames_at(path: Path, times: list[Fraction]) -> list[float]:
    """Return the grey levels on the screen at some times, from all frames that PyAV decodes."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = [
            (f.pts * stream.time_base, float(f.to_ndarray(format="gray").mean())) for f in container.decode(stream)
        ]
    return [[grey for begins, grey in shown if begins - shown[0][0] <= time][-1] for time in times]


SECTIONS = [(0.2, 0.4), (2.0, 3.6), (3.02, 3.06), (None, 1.0), (3.5, None), (4.7, 4.8)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv"])
def test_frames_of_a_section(tmp_path: Path, name: str) -> None:
    codec = {"a.avi": "mpeg4", "a.flv": "flv"}.get(name, "libx264")
    path = video(tmp_path / name, GREYS, codec=codec, every=24)
    for start, end in SECTIONS:
        found, _ = read_video(Clip(path, start, end), MediaSettings(frames=5, frame_size=16))
        begin, stop = Fraction(str(start or 0)), Fraction(str(end or 4.8))
        times = [begin + (i + Fraction(1, 2)) * (stop - begin) / 5 for i in range(5)]
        assert found.mean((1, 2, 3)).tolist() == pytest.approx(frames_at(path, times), abs=4), (start, end)


def test_frames_of_a_section_where_the_rate_varies(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).integers(10, 90, len(GREYS))) / 1000
    path = video(tmp_path / "a.mp4", GREYS, (times - times[0]).tolist(), every=24)
    for start, end in [(0.5, 0.7), (2.2, 5.2), (4.0, 4.01)]:
        found, _ = read_video(Clip(path, start, end), MediaSettings(frames=3, frame_size=16))
        begin, stop = Fraction(str(start)), Fraction(str(end))
        expected = frames_at(path, [begin + (i + Fraction(1, 2)) * (stop - begin) / 3 for i in range(3)])
        assert found.mean((1, 2, 3)).tolist() == pytest.approx(expected, abs=4)


def test_what_lies_before_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.mp4", GREYS, every=24)
    decoded: list[object] = []
    from equimodal.media import video as module

    real = module._frames
    monkeypatch.setattr(module, "_frames", lambda *given: (decoded.append(f) or f for f in real(*given)))
    read_video(Clip(path, 4, 4.2), MediaSettings(frames=2, frame_size=16))
    assert 0 < len(decoded) <= 24 + 6


def test_what_nothing_depends_on_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of H.264 with frames between others (B-frames) many are passed over; the result is that of decoding all."""
    from equimodal.media import video as module

    path = video(tmp_path / "a.mp4", [40 + n for n in range(120)])
    with av.open(str(path)) as container:
        between = sum(frame.pict_type == 3 for frame in container.decode(video=0))  # AV_PICTURE_TYPE_B
    decoded: list[object] = []
    real = module._frames
    monkeypatch.setattr(module, "_frames", lambda *given: (decoded.append(f) or f for f in real(*given)))
    settings = MediaSettings(frames=7, frame_size=16)
    fast, _ = read_video(path, settings)
    assert between > 30 and len(decoded) < 120 - between // 3
    monkeypatch.setattr(module, "_frames", lambda *given: real(*given[:2], None))
    assert np.array_equal(read_video(path, settings)[0], fast)


@pytest.mark.parametrize("half", ["left", "right"])
def test_half_of_the_frames(tmp_path: Path, half: str) -> None:
    path = tmp_path / "a.mp4"
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, 32:] = 200
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *stream.encode(None)):
            container.mux(packet)
    found, _ = read_video(Clip(path, half=half), MediaSettings(frames=1, frame_size=32))  # pyright: ignore[reportArgumentType]
    assert np.abs(found.astype(int) - (0 if half == "left" else 200)).max() < 8


@pytest.mark.parametrize("name", ["a.wav", "a.mp4"])
@pytest.mark.parametrize(("start", "end"), [(2, 3), (6.2, None), (6.5, 7), (5, 7)])
def test_out_of_range(tmp_path: Path, name: str, start: float, end: float | None) -> None:
    if name == "a.wav":
        path = sound(tmp_path / name, NOISE, RATE)
    else:
        path = video(tmp_path / name, [9] * 30, rate=5, size=(16, 16), wave=NOISE)
    settings = MediaSettings(frames=2)
    for medium in ("audio",) if name == "a.wav" else ("audio", "video"):
        form = form_of(medium, settings)
        if start == 2:
            read_row(Clip(path, start, end), form, settings)
            continue
        with pytest.raises(Unreadable, match=rf"lasts 6\.\d\d seconds, and the section is {float(start)} to ") as error:
            read_row(Clip(path, start, end), form, settings)
        assert error.value.cause == "out of range"


def test_a_short_section_of_a_long_file(tmp_path: Path) -> None:
    """The limit on length is on what is read."""
    settings = MediaSettings(max_seconds=3, frames=2)
    for path, medium in (
        (sound(tmp_path / "a.wav", tone(300, 6)), "audio"),
        (video(tmp_path / "a.mp4", GREYS), "video"),
    ):
        form = form_of(medium, settings)
        read_row(Clip(path, 3, 4), form, settings)
        for section in ((0.5, 4), (0.5, None)):
            with pytest.raises(Unreadable) as error:
                read_row(Clip(path, *section), form, settings)
            assert error.value.cause == "too long"
