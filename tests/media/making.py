"""Small real media: pictures, sounds and videos that encoders wrote."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

RATE = 8000


def need(*modules: str) -> None:
    """Skip the tests of a file where a package that decodes media is not installed."""
    for module in modules:
        pytest.importorskip(module, reason=f"{module} comes with the extra 'media'", exc_type=ImportError)


def picture(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Write an RGB picture in the form that the path's ending says."""
    from PIL import Image

    Image.fromarray(pixels).save(path, **options)
    return path


def scene(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Return a picture with large structures, uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    from PIL import Image

    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def tone(frequency: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """Return a sine of half of full scale, float32 (samples,)."""
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def sound(path: Path, wave: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    """Write a sound in the form that the path's ending says."""
    import soundfile

    soundfile.write(path, wave, rate, subtype=subtype)
    return path


def video(
    path: Path,
    greys: Sequence[int | np.ndarray],
    times: Sequence[float] | None = None,
    *,
    codec: str = "libx264",
    rate: int = 25,
    size: tuple[int, int] = (48, 64),
    wave: np.ndarray | None = None,
    sound_codec: str = "aac",
    every: int | None = None,
) -> Path:
    """Write a video of plain frames.

    Args:
        path: whose ending says the form.
        greys: of the frames; of their columns, where arrays (width, 1) are given.
        times: when they begin, in seconds; at the given rate by default.
        codec: of the frames.
        rate: frames per second.
        size: height and width.
        wave: sound at 22050 Hz.
        sound_codec: of the sound.
        every: how many frames from one key frame to the next.
    """
    import av

    times = [number / rate for number in range(len(greys))] if times is None else times
    clock = Fraction(1, 1000) if codec == "libx264" else Fraction(1, rate)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = clock
        if every is not None:
            stream.codec_context.gop_size = every
        speech = None if wave is None else container.add_stream(sound_codec, rate=22050, layout="mono")
        for grey, time in zip(greys, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), grey, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if speech is not None and wave is not None:
            values = (wave * 32767).astype(np.int16) if sound_codec == "pcm_s16le" else wave
            form = "s16" if sound_codec == "pcm_s16le" else "fltp"
            part = av.AudioFrame.from_ndarray(values[None], format=form, layout="mono")
            part.sample_rate, part.pts = 22050, 0
            container.mux(speech.encode(part))
            container.mux(speech.encode(None))
    return path


def claim_more(path: Path) -> Path:
    """Cut a WAV file in half; its header still says how long it was."""
    content = path.read_bytes()
    assert struct.unpack("<I", content[4:8])[0] + 8 == len(content)
    path.write_bytes(content[: len(content) // 2])
    return path
