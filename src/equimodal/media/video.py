"""Frames of a video at fixed times, with PyAV."""

from __future__ import annotations

from collections.abc import Container, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from equimodal.extras import need
from equimodal.media.clip import Clip, Half, as_clip
from equimodal.media.containers import opened
from equimodal.media.content import File
from equimodal.media.pictures import fitted, likeness
from equimodal.media.settings import MediaSettings
from equimodal.media.timeline import Timeline, jump, look_through, whole
from equimodal.media.unreadable import Unreadable

_MIDDLE = Fraction(1, 2)


def read_video(file: File | Clip, settings: MediaSettings) -> tuple[np.ndarray, int | None]:
    r"""Return frames of a video, uint8 (frames, size, size, 3), and the likeness of the middle one.

    Frame i of k is what is on the screen at $t_i = s + (i + \tfrac12)\, D / k$, where D is how long the video or its
    section lasts, and s where the section begins: the last frame that begins at $t_i$ or before. Times are those in the
    file, counted from the first frame, so that a rate that varies is followed. A video of fewer frames shows some of
    them several times.

    Raises:
        Unreadable: it has no pictures, is damaged, cut short, too long or too large, or has no such section.
    """
    clip = as_clip(file)
    chosen = _chosen_of(clip, settings)
    converter = need("av.video.reformatter").VideoReformatter()
    pictures = {id(frame): _upright(frame, clip.half, converter) for frame in chosen}
    small = {
        key: np.asarray(fitted(image, settings.frame_size, settings.fit).convert("RGB"))
        for key, image in pictures.items()
    }
    return np.stack([small[id(frame)] for frame in chosen]), likeness(pictures[id(chosen[len(chosen) // 2])])


def _chosen_of(clip: Clip, settings: MediaSettings) -> list[Any]:
    """Return the frames of a section that are kept."""
    with opened(clip.file) as container:
        timeline = look_through(container, clip, settings)
        if timeline is not None:
            return _chosen(clip, timeline, settings.frames)
    with opened(clip.file) as container:
        return _chosen(clip, whole(container, clip, settings), settings.frames)


def _frames(file: File, timeline: Timeline, kept: Container[int] | None) -> Iterator[Any]:
    """Yield frames, of the packets or else of the file.

    Args:
        file: on disk or in memory.
        timeline: of it.
        kept: times on its clock of the frames that must be among them; None: all.
    """
    if timeline.packets:
        decoder = timeline.packets[0].stream.codec_context
        for packet in timeline.packets:
            # A frame that no other one depends on is decoded only if it is kept.
            decoder.skip_frame = "DEFAULT" if kept is None or packet.pts in kept else "NONREF"
            yield from packet.decode()
        if timeline.packets[-1].size:  # the file goes on: what the decoder still holds
            yield from decoder.decode(None)
        return
    with opened(file) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        if timeline.jumped:
            jump(container, stream, timeline.first, timeline.start)
        yield from container.decode(stream)


def _timed(frames: Iterator[Any], timeline: Timeline) -> Iterator[tuple[int, Any]]:
    """Yield each frame with the time at which it begins."""
    for number, frame in enumerate(frames):
        listed = timeline.begins[min(number, len(timeline.begins) - 1)]
        yield frame.pts - timeline.first if timeline.exact and frame.pts is not None else listed, frame


def _chosen(clip: Clip, timeline: Timeline, count: int) -> list[Any]:
    """Return the frames on the screen at the middles of `count` equal parts of the time."""
    chosen: list[Any] = []
    latest = None
    times = [timeline.start + (i + _MIDDLE) * (timeline.end - timeline.start) / count for i in range(count)]
    kept = {timeline.first + timeline.shown(time) for time in times} if timeline.exact else None
    for begins, frame in _timed(_frames(clip.file, timeline, kept), timeline):
        while latest is not None and len(chosen) < count and times[len(chosen)] < begins:
            chosen.append(latest)
        if len(chosen) == count:
            break
        latest = frame
    if latest is None:
        raise Unreadable("damaged", "none of its frames can be decoded")
    return chosen + [latest] * (count - len(chosen))


def _upright(frame: Any, half: Half | None, converter: Any) -> Any:
    """Return a frame, or a half of it, as a Pillow picture, turned as the file says.

    Pixels of four bytes are what Pillow takes without copying; `frame.to_image` takes ten times as long.
    """
    pixels = converter.reformat(frame, format="rgba").to_ndarray()
    image = need("PIL.Image").frombuffer("RGBX", (frame.width, frame.height), pixels, "raw", "RGBX", 0, 1)
    image = image.rotate(frame.rotation, expand=True) if frame.rotation else image
    return image if half is None else _half_of(image, half)


def _half_of(image: Any, half: Half) -> Any:
    width = max(1, image.width // 2)
    return image.crop(
        (0 if half == "left" else image.width - width, 0, width if half == "left" else image.width, image.height)
    )
