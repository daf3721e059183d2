"""Frames of a video at fixed times, with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equimodal.extras import need
from equimodal.media.containers import CLOCK, check_length, opened
from equimodal.media.pictures import fitted, likeness
from equimodal.media.settings import MediaSettings
from equimodal.media.unreadable import Unreadable

MOST_FRAMES = 1_000_000
_KEPT = 1 << 26
"""Bytes of packets that are kept from looking through a file; larger files are opened again."""


class _Times(NamedTuple):
    """When the frames of a video are on the screen, in ticks of its clock from its first frame.

    Args:
        begins: of each frame, rising.
        end: of the last one.
        first: what the clock shows at the first frame.
        exact: whether decoded frames say their own times; if not, the n-th frame begins at the n-th time.
    """

    begins: list[int]
    end: int
    first: int
    exact: bool


def read_video(path: Path, settings: MediaSettings) -> tuple[np.ndarray, int | None]:
    r"""Return frames of a video, uint8 (frames, size, size, 3), and the likeness of the middle one.

    Frame i of k is what is on the screen at $t_i = (i + \tfrac12)\, D / k$, where D is how long the video lasts: the
    last frame that begins at $t_i$ or before. Times are those in the file, counted from the first frame, so that a rate
    that varies is followed. A video of fewer frames shows some of them several times.

    Raises:
        Unreadable: it has no pictures, is damaged, cut short, too long or too large.
    """
    with opened(path) as container:
        times, packets = _look_through(container, settings)
        chosen = _chosen(_timed(_frames(path, packets), times), times.end, settings.frames)
        converter = need("av.video.reformatter").VideoReformatter()
        pictures = {id(frame): _upright(frame, converter) for frame in chosen}
    small = {
        key: np.asarray(fitted(image, settings.frame_size, settings.fit).convert("RGB"))
        for key, image in pictures.items()
    }
    return np.stack([small[id(frame)] for frame in chosen]), likeness(pictures[id(chosen[len(chosen) // 2])])


def _look_through(container: Any, settings: MediaSettings) -> tuple[_Times, list[Any]]:
    """Return when frames begin, without decoding them, and the packets that hold them; none if they are large."""
    if not container.streams.video:
        raise Unreadable("no pictures", "holds no video stream")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > settings.max_pixels:
        raise Unreadable(
            "too large", f"has frames of {width} x {height} pixels, more than --max-pixels {settings.max_pixels}"
        )
    if (container.duration or 0) / CLOCK > settings.max_seconds:
        raise _too_long(settings)
    stream.thread_count = 1  # files are decoded side by side instead
    tick, begins, lasts, size = stream.time_base, [], 0, 0
    packets: list[Any] = []
    most = settings.max_seconds / float(tick)
    for packet in container.demux(stream):
        size += packet.size
        packets.append(packet)
        if size > _KEPT:
            packets.clear()
        time = packet.dts if packet.pts is None else packet.pts
        if not packet.size or time is None:
            continue
        begins.append(time)
        lasts = packet.duration or lasts
        if len(begins) > MOST_FRAMES or time - begins[0] > most:
            raise _too_long(settings)
    if not begins:
        raise Unreadable("no pictures", "holds no frame")
    exact = len(set(begins)) == len(begins)
    begins.sort()
    if not lasts:  # FLV and AVI do not say how long a frame lasts
        usual = 1 / (stream.average_rate or 25) / tick
        lasts = round(float(np.median(np.diff(begins)))) if len(begins) > 1 else round(usual)
    end = begins[-1] - begins[0] + max(1, lasts)
    check_length(container, stream, float(end * tick))
    times = _Times([time - begins[0] for time in begins], end, begins[0], exact)
    return times, packets if size <= _KEPT else []


def _frames(path: Path, packets: list[Any]) -> Iterator[Any]:
    """Yield all frames, of the packets or else of the file."""
    if packets:
        for packet in packets:
            yield from packet.decode()
        return
    with opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        yield from container.decode(stream)


def _too_long(settings: MediaSettings) -> Unreadable:
    return Unreadable("too long", f"is a video of more than --max-seconds {settings.max_seconds:g}")


def _timed(frames: Iterator[Any], times: _Times) -> Iterator[tuple[int, Any]]:
    """Yield each frame with the time at which it begins."""
    for number, frame in enumerate(frames):
        listed = times.begins[min(number, len(times.begins) - 1)]
        yield frame.pts - times.first if times.exact and frame.pts is not None else listed, frame


def _chosen(timed: Iterator[tuple[int, Any]], end: int, count: int) -> list[Any]:
    """Return the frames on the screen at the middles of `count` equal parts of the time."""
    chosen: list[Any] = []
    latest = None
    for begins, frame in timed:
        while latest is not None and len(chosen) < count and (2 * len(chosen) + 1) * end < 2 * count * begins:
            chosen.append(latest)
        if len(chosen) == count:
            break
        latest = frame
    if latest is None:
        raise Unreadable("damaged", "none of its frames can be decoded")
    return chosen + [latest] * (count - len(chosen))


def _upright(frame: Any, converter: Any) -> Any:
    """Return a frame as a Pillow picture, turned as the file says.

    Pixels of four bytes are what Pillow takes without copying; `frame.to_image` takes ten times as long.
    """
    pixels = converter.reformat(frame, format="rgba").to_ndarray()
    image = need("PIL.Image").frombuffer("RGBX", (frame.width, frame.height), pixels, "raw", "RGBX", 0, 1)
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
