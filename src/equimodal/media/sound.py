"""Sound, with soundfile, and with PyAV where it lies in a video or a form that soundfile does not know."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from equimodal.extras import need
from equimodal.media.containers import CLOCK, check_length, opened
from equimodal.media.resampling import resampled
from equimodal.media.riff import check_riff
from equimodal.media.settings import MediaSettings
from equimodal.media.spectrogram import log_spectrogram
from equimodal.media.unreadable import Unreadable

SOUNDFILE = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
"""Endings of what soundfile reads. All other files are opened with PyAV."""


def read_sound(path: Path, settings: MediaSettings) -> np.ndarray:
    """Return a sound as it is stored: float32, (times, frequencies) or (samples, 1).

    Channels are averaged. The beginning of `settings.seconds` is resampled to `settings.sampling_rate`; what is shorter
    keeps its own length.

    Raises:
        Unreadable: it holds no sound, is damaged, cut short or too long.
    """
    read = _with_soundfile if path.suffix.lower() in SOUNDFILE else _with_pyav
    wave, rate = read(path, settings)
    if not len(wave):
        raise Unreadable("no sound", "its sound has no sample")
    wave = resampled(wave, rate, settings.sampling_rate)[: settings.samples]
    if not np.isfinite(wave).all():
        raise Unreadable("not finite", "holds samples that are NaN or infinite")
    if settings.audio == "waveform":
        return wave[:, None]
    return log_spectrogram(wave, settings.window, settings.hop)


def _enough(rate: int, settings: MediaSettings) -> int:
    """Return how many samples at the file's own rate are needed."""
    return math.ceil(settings.seconds * rate) + rate // 10  # the filter sees a little beyond the end


def _check_seconds(length: float, settings: MediaSettings) -> None:
    if length > settings.max_seconds:
        raise Unreadable("too long", f"lasts {length:.0f} seconds, more than --max-seconds {settings.max_seconds:g}")


def _with_soundfile(path: Path, settings: MediaSettings) -> tuple[np.ndarray, int]:
    soundfile = need("soundfile")
    if not path.stat().st_size:
        raise Unreadable("empty", "holds no byte")
    check_riff(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate, total = file.samplerate, file.frames
            _check_seconds(total / rate, settings)
            values = file.read(min(total, _enough(rate, settings)), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", None) or error
        raise Unreadable("damaged", f"cannot be decoded as sound ({str(reason).rstrip('.')})") from error
    if len(values) < min(total, _enough(rate, settings)):
        raise Unreadable("cut short", f"ends after {len(values)} of {total} samples")
    return values.mean(1), rate


def _with_pyav(path: Path, settings: MediaSettings) -> tuple[np.ndarray, int]:
    av = need("av")
    pieces: list[np.ndarray] = []
    count = 0
    with opened(path) as container:
        if not container.streams.audio:
            raise Unreadable("no sound", "holds no audio stream")
        stream = container.streams.audio[0]
        rate = stream.rate
        length = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / CLOCK
        _check_seconds(length, settings)
        enough = _enough(rate, settings)
        flat = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            for part in flat.resample(frame):
                pieces.append(part.to_ndarray().mean(0, dtype=np.float32))
                count += len(pieces[-1])
            if count >= enough:
                break
        if count < enough:
            check_length(container, stream, count / rate)
    return np.concatenate(pieces)[:enough] if pieces else np.empty(0, np.float32), rate
