"""Videos: frames at fixed times, whatever the rate, and what is wrong with those that cannot be read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from equimodal.media.forms import form_of, read_row
from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable
from equimodal.media.video import read_video
from media.making import need, scene, video

need("av", "PIL")
import av  # noqa: E402


def greys(path: Path, frames: int) -> list[float]:
    found, _ = read_video(path, MediaSettings(frames=frames, frame_size=16))
    assert found.shape == (frames, 16, 16, 3) and found.dtype == np.uint8
    return found.mean((1, 2, 3)).tolist()


def test_a_fixed_rate(tmp_path: Path) -> None:
    """Ten frames of 0.04 s: the middles of four equal parts lie in frames 1, 3, 6 and 8."""
    path = video(tmp_path / "a.mp4", [20 * n + 20 for n in range(10)])
    assert greys(path, 4) == pytest.approx([40, 80, 140, 180], abs=3)


def test_a_rate_that_varies(tmp_path: Path) -> None:
    """What is on the screen counts: the frame at 0.08 s stays until 0.9 s, most of the time."""
    path = video(tmp_path / "a.mp4", [40, 80, 120, 160, 200], [0, 0.04, 0.08, 0.9, 0.96])
    assert greys(path, 5) == pytest.approx([120, 120, 120, 120, 160], abs=3)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flv", "flv"), ("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("b.avi", "libx264")]
)
def test_forms(tmp_path: Path, name: str, codec: str) -> None:
    """Against all frames decoded by PyAV, and the times in the file; h264 in AVI has no times of its own per frame."""
    path = video(tmp_path / name, [24 * n + 20 for n in range(9)], codec=codec)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = sorted(
            float((p.pts if p.pts is not None else p.dts) * stream.time_base) for p in container.demux(stream) if p.size
        )
    with av.open(str(path)) as container:
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    times = [time - times[0] for time in times]
    end = times[-1] + float(np.median(np.diff(times)))
    wanted = [(i + 0.5) * end / 4 for i in range(4)]
    expected = [levels[max(n for n, time in enumerate(times) if time <= at + 1e-9)] for at in wanted]
    assert greys(path, 4) == pytest.approx(expected, abs=3)


def test_one_frame(tmp_path: Path) -> None:
    assert greys(video(tmp_path / "a.mp4", [70]), 3) == pytest.approx([70] * 3, abs=3)


def test_phones_turn_videos(tmp_path: Path) -> None:
    """The matrix in the header of an MP4 says so: a quarter clockwise."""
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.options = 64, 64, "yuv444p", {"crf": "1"}
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(1, 64, 64), format="rgb24")))
        container.mux(stream.encode(None))
    plain = read_video(path, MediaSettings(frames=1, frame_size=64))[0][0]
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    assert struct.unpack(">9i", content[matrix : matrix + 36])[0] == 1 << 16
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30)
    path.write_bytes(content)
    turned = read_video(path, MediaSettings(frames=1, frame_size=64))[0][0]
    assert np.abs(turned.astype(int) - np.rot90(plain, -1)).mean() < 2


def broken(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "a.mp4"
    if case == "cut avi":
        path = video(tmp_path / "a.avi", [n % 250 for n in range(0, 5000, 50)], codec="mpeg4", size=(96, 128))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif case == "half":
        video(path, list(range(0, 250, 5)))
        path.write_bytes(path.read_bytes()[:1500])
    elif case == "cut flv":
        path = video(tmp_path / "a.flv", [n % 250 for n in range(0, 5000, 50)], codec="flv", size=(96, 128))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif case == "empty":
        path.write_bytes(b"")
    elif case == "no video":
        path.write_bytes(b"text " * 100)
    elif case == "sound alone":
        from media.making import sound, tone

        return sound(tmp_path / "a.wav", tone(440, 0.2))
    elif case == "playlist":  # would be read as a list of other files
        path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    else:
        video(path, [10] * 50)
    return path


@pytest.mark.parametrize(
    ("case", "cause", "words"),
    [
        ("cut avi", "cut short", "bytes"),
        ("cut flv", "cut short", "seconds"),
        ("half", "damaged", "cannot be decoded"),
        ("empty", "empty", "no byte"),
        ("no video", "damaged", "cannot be decoded"),
        ("sound alone", "no pictures", "no video stream"),
        ("playlist", "damaged", "cannot be decoded"),
        ("long", "too long", "more than --max-seconds 1.5"),
        ("large", "too large", "64 x 48 pixels, more than --max-pixels 900"),
    ],
)
def test_what_is_wrong(tmp_path: Path, case: str, cause: str, words: str) -> None:
    settings = MediaSettings(max_seconds=1.5 if case == "long" else 60, max_pixels=900 if case == "large" else 100_000)
    with pytest.raises(Unreadable, match=words) as error:
        read_row(broken(tmp_path, case), form_of("video", settings), settings)
    assert error.value.cause == cause
