"""When the frames of a video are on the screen, found without decoding them."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from equimodal.extras import need
from equimodal.media.clip import Clip
from equimodal.media.containers import CLOCK, check_length
from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable

MOST_FRAMES = 1_000_000
_KEPT = 1 << 26
"""Bytes of packets that are kept from looking through a file; larger files are opened again."""
_BACK = (0, 2, 10, 60)
"""Seconds before a section from which its key frame is looked for: a file's index may lead to one that is too late."""


class Timeline(NamedTuple):
    """Times are ticks of the video's clock from its first frame.

    Args:
        begins: when frames begin, rising; those from the one before the section on.
        start: of the section.
        end: of the section, or of the last frame.
        first: what the clock shows at the first frame.
        exact: whether decoded frames say their own times; if not, the n-th frame begins at the n-th time.
        jumped: whether reading began at the key frame before the section, and not at the file's first frame.
        packets: that hold the frames; none if they are too large to keep.
    """

    begins: list[int]
    start: Fraction
    end: Fraction
    first: int
    exact: bool
    jumped: bool
    packets: list[Any]

    def shown(self, time: Fraction) -> int:
        """Return when the frame begins that is on the screen at a time."""
        return self.begins[max(0, bisect_right(self.begins, time) - 1)]


def look_through(container: Any, clip: Clip, settings: MediaSettings) -> Timeline | None:
    """Return the times of a section's frames.

    Of a section, packets are read from the last key frame before it up to its end.

    Returns:
        The times; None where the file's own times are not good enough to begin within it: call `whole` then.

    Raises:
        Unreadable: there are no pictures, or they are cut short, too long, too large, or not where the section is.
    """
    stream = _video_of(container, clip, settings)
    if not clip.start:
        return _looked_through(container, stream, clip, settings, None)
    first = _first(container, stream)
    if first is None or not jump(container, stream, first, _ticks(clip.start, stream.time_base)):
        return None
    found = _looked_through(container, stream, clip, settings, first)
    return found if found.exact else None


def whole(container: Any, clip: Clip, settings: MediaSettings) -> Timeline:
    """Return the times of all frames from the beginning of the file to the section's end."""
    return _looked_through(container, _video_of(container, clip, settings), clip, settings, None)


def _video_of(container: Any, clip: Clip, settings: MediaSettings) -> Any:
    if not container.streams.video:
        raise Unreadable("no pictures", "holds no video stream")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > settings.max_pixels:
        raise Unreadable(
            "too large", f"has frames of {width} x {height} pixels, more than --max-pixels {settings.max_pixels}"
        )
    length = (container.duration or 0) / CLOCK if clip.end is None else clip.end
    if length - (clip.start or 0) > settings.max_seconds:
        raise _too_long(settings)
    stream.thread_count = 1  # files are decoded side by side instead
    return stream


def _looked_through(container: Any, stream: Any, clip: Clip, settings: MediaSettings, first: int | None) -> Timeline:
    """Read packets from where the container is; `first` is None at the beginning of the file."""
    tick, jumped, begins, lasts, size, exact = stream.time_base, first is not None, [], 0, 0, True
    packets: list[Any] = []
    start = _ticks(clip.start or 0, tick)
    most = start + _ticks(settings.max_seconds, tick)
    stop = None if clip.end is None else _ticks(clip.end, tick)
    ended = True
    for packet in container.demux(stream):
        size += packet.size
        packets.append(packet)
        if size > _KEPT:
            packets.clear()
        time = packet.dts if packet.pts is None else packet.pts
        if not packet.size or time is None:
            continue
        exact = exact and (packet.pts is not None or not jumped)
        begins.append(time)
        lasts = packet.duration or lasts
        origin = begins[0] if first is None else first
        if stop is not None and (time if packet.dts is None else packet.dts) - origin > stop:
            ended = False  # no later packet holds a frame that begins earlier
            break
        if len(begins) > MOST_FRAMES or time - origin > most:
            raise _too_long(settings)
    if not begins:
        raise Unreadable("no pictures", "holds no frame")
    exact = exact and len(set(begins)) == len(begins)
    begins.sort()
    first = begins[0] if first is None else first
    if not lasts:  # FLV and AVI do not say how long a frame lasts
        usual = 1 / (stream.average_rate or 25) / tick
        lasts = round(float(np.median(np.diff(begins)))) if len(begins) > 1 else round(usual)
    end = Fraction(begins[-1] - first + max(1, lasts))
    if ended:
        check_length(container, stream, float(end * tick))
        clip.check_range(float(end * tick))
    end = end if stop is None else min(end, stop)
    kept = packets if size <= _KEPT else []
    return Timeline([time - first for time in begins], start, end, first, exact, jumped, kept)


def _first(container: Any, stream: Any) -> int | None:
    """Return what the clock shows at the first frame; None where packets do not say it."""
    first = None
    for packet in container.demux(stream):
        if not packet.size:
            break
        if packet.pts is None or packet.dts is None:
            return None
        first = packet.pts if first is None else min(first, packet.pts)
        if packet.dts > first:
            break  # no later packet holds a frame that begins earlier
    return first


def jump(container: Any, stream: Any, first: int, start: Fraction) -> bool:
    """Let a container go on at a key frame that begins at `start` or before; return whether it can.

    Args:
        container: the open file.
        stream: its video.
        first: what the clock shows at the first frame.
        start: in ticks from the first frame.
    """
    av = need("av")
    for seconds in _BACK:
        at = int(start - seconds / stream.time_base)
        if at <= 0:
            return False
        try:
            container.seek(first + at, stream=stream)
            key = next((packet for packet in container.demux(stream) if packet.is_keyframe), None)
            if key is not None and key.pts is not None and key.pts - first <= start:
                container.seek(first + at, stream=stream)
                return True
        except av.error.FFmpegError:
            return False
    return False


def _ticks(seconds: float, tick: Fraction) -> Fraction:
    """Return a time in ticks: 0.04 seconds are exactly 1 / 25."""
    return Fraction(str(seconds)) / tick


def _too_long(settings: MediaSettings) -> Unreadable:
    return Unreadable("too long", f"is a video of more than --max-seconds {settings.max_seconds:g}")
