"""Sound, with soundfile, and with PyAV where it lies in a video or a form that soundfile does not know."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np

from equimodal.extras import need
from equimodal.media.clip import Clip, as_clip
from equimodal.media.containers import CLOCK, check_length, opened
from equimodal.media.content import File, readable, size_of
from equimodal.media.resampling import resampled
from equimodal.media.riff import check_riff
from equimodal.media.settings import MediaSettings
from equimodal.media.spectrogram import log_spectrogram
from equimodal.media.unreadable import Unreadable

SOUNDFILE = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
"""Endings of what soundfile reads. All other files are opened with PyAV."""
_BEFORE = 1
"""Seconds before a section from which it is decoded: what a decoder returns depends on what it has seen."""


def read_sound(file: File | Clip, settings: MediaSettings) -> np.ndarray:
    """Return a sound as it is stored: float32, (times, frequencies) or (samples, 1).

    Channels are averaged. The beginning of `settings.seconds` is resampled to `settings.sampling_rate`. What is shorter
    keeps its own length, is repeated (`settings.short`), or is followed by silence (in a picture). A section is as
    exact as a sample of the file.

    Raises:
        Unreadable: it holds no sound, is damaged, cut short or too long, or has no such section.
    """
    clip = as_clip(file)
    read = _with_soundfile if clip.file.suffix.lower() in SOUNDFILE else _with_pyav
    wave, rate = read(clip, settings)
    if not len(wave):
        raise Unreadable("no sound", "its sound has no sample")
    wave = resampled(wave, rate, settings.sampling_rate)[: settings.samples]
    if not np.isfinite(wave).all():
        raise Unreadable("not finite", "holds samples that are NaN or infinite")
    if settings.short == "tile":
        wave = np.resize(wave, settings.samples)
    if settings.audio == "waveform":
        return wave[:, None]
    if settings.audio == "picture":
        wave = np.pad(wave, (0, settings.samples - len(wave)))
    return log_spectrogram(wave, settings.window, settings.hop)


def _wanted(clip: Clip, rate: int, settings: MediaSettings) -> tuple[int, int]:
    """Return the first sample that is needed and the one after the last, at the file's own rate."""
    first = round((clip.start or 0) * rate)
    last = first + math.ceil(settings.seconds * rate) + rate // 10  # the filter sees a little beyond the end
    return first, last if clip.end is None else min(last, max(first + 1, round(clip.end * rate)))


def _check_seconds(length: float, clip: Clip, settings: MediaSettings) -> None:
    length = (length if clip.end is None else clip.end) - (clip.start or 0)
    if length > settings.max_seconds:
        raise Unreadable(
            "too long", f"lasts {round(length, 2):g} seconds, more than --max-seconds {settings.max_seconds:g}"
        )


def _with_soundfile(clip: Clip, settings: MediaSettings) -> tuple[np.ndarray, int]:
    soundfile = need("soundfile")
    if not size_of(clip.file):
        raise Unreadable("empty", "holds no byte")
    check_riff(clip.file)
    try:
        with soundfile.SoundFile(readable(clip.file)) as file:
            rate, total = file.samplerate, file.frames
            _check_seconds(total / rate, clip, settings)
            clip.check_range(total / rate)
            first, last = _wanted(clip, rate, settings)
            before = max(0, first - _BEFORE * rate)
            if before:
                file.seek(before)
            count = min(total, last) - first
            values = file.read(first - before + count, dtype="float32", always_2d=True)[first - before :]
    except soundfile.SoundFileError as error:
        reason = str(getattr(error, "error_string", None) or error).rstrip(".")
        if reason.startswith("File does not exist"):  # what its reader of MP3 says of other files
            reason = "it is no MP3, in spite of its name"
        raise Unreadable("damaged", f"cannot be decoded as sound ({reason})") from error
    if len(values) < count:
        raise Unreadable("cut short", f"ends after {first + len(values)} of {total} samples")
    return values.mean(1), rate


def _with_pyav(clip: Clip, settings: MediaSettings) -> tuple[np.ndarray, int]:
    av = need("av")
    pieces: list[np.ndarray] = []
    with opened(clip.file) as container:
        if not container.streams.audio:
            raise Unreadable("no sound", "holds no audio stream")
        stream = container.streams.audio[0]
        rate = stream.rate
        length = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / CLOCK
        _check_seconds(length, clip, settings)
        first, last = _wanted(clip, rate, settings)
        flat = av.AudioResampler(format="fltp")
        position = 0
        for position, frame in _frames(clip.file, container, first):
            for part in flat.resample(frame):
                channels = part.to_ndarray()
                pieces.append(channels[:, max(0, first - position) : max(0, last - position)])
                position += part.samples
            if position >= last:
                break
        else:
            check_length(container, stream, position / rate)
            clip.check_range(position / rate)
    wave = np.concatenate(pieces, 1).mean(0, dtype=np.float32) if pieces else np.empty(0, np.float32)
    return wave, rate


def _frames(file: File, container: Any, first: int) -> Iterator[tuple[int, Any]]:
    """Yield frames, each with the number of its first sample; all those that hold sample `first` or later ones.

    Where the file's clock tells samples apart, decoding begins a little before that sample. Everywhere else samples are
    counted from the beginning.
    """
    stream = container.streams.audio[0]
    ticks = Fraction(1, stream.rate) / stream.time_base
    frames = container.decode(stream)
    opening = next(frames, None)
    before = first - _BEFORE * stream.rate
    if opening is None or opening.pts is None or before <= 0 or ticks.denominator != 1:
        yield from _counted(0, chain([opening] if opening else [], frames))
        return
    container.seek(opening.pts + before * int(ticks), stream=stream)
    frames = container.decode(stream)
    frame = next(frames, None)
    position = first + 1 if frame is None or frame.pts is None else (frame.pts - opening.pts) // int(ticks)
    if position <= first:
        yield from _counted(position, chain([frame], frames))
        return
    with opened(file) as again:
        yield from _counted(0, again.decode(again.streams.audio[0]))


def _counted(position: int, frames: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    for frame in frames:
        yield position, frame
        position += frame.samples
