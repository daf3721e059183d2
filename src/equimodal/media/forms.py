"""What a modality's files become: the form of a row, and the reading of one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from equimodal.data.columns.base import Kind, infer_kind
from equimodal.errors import ConfigError
from equimodal.media.arrays import open_array, read_stored_array
from equimodal.media.clip import Clip, as_clip
from equimodal.media.content import File
from equimodal.media.pictures import read_picture
from equimodal.media.settings import MediaSettings
from equimodal.media.sound import SOUNDFILE, read_sound
from equimodal.media.unreadable import Unreadable
from equimodal.media.video import read_video

Medium = Literal["image", "audio", "video", "text", "array"]
"""What a file holds."""

MEDIA: tuple[Medium, ...] = get_args(Medium)


@dataclass(frozen=True)
class Form:
    """How the rows of a modality are stored.

    Args:
        medium: what its files hold.
        kind: what a row is; texts are stored as lines and have no shape.
        shape: of a row; where lengths vary, of the longest.
        dtype: of the values.
        varies: the first axis differs from row to row; shorter rows are filled up with zeros, and lengths stored.
    """

    medium: Medium
    kind: Kind
    shape: tuple[int, ...] = ()
    dtype: str = ""
    varies: bool = False

    @property
    def row_bytes(self) -> int:
        """Bytes of a row that is not text."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Row:
    """One decoded file.

    Args:
        values: in the form of its modality, but as long as it is itself.
        likeness: of a picture or video, see `equimodal.media.pictures.likeness`.
    """

    values: np.ndarray
    likeness: int | None = None


def form_of(medium: Medium, settings: MediaSettings, files: Iterable[File] = ()) -> Form:
    """Return how a modality is stored.

    Args:
        medium: what its files hold.
        settings: sizes and lengths.
        files: of arrays, whose shapes and types are looked up. The first axis may differ; a file whose other axes are
            not those of most is unreadable.

    Example:
        >>> form_of("audio", MediaSettings(seconds=1))
        Form(medium='audio', kind='sequence', shape=(63, 257), dtype='float32', varies=True)
    """
    if medium == "text":
        return Form(medium, "text")
    if medium == "image":
        return Form(medium, "image", (settings.image_size, settings.image_size, 3), "uint8")
    if medium == "video":
        return Form(medium, "video", (settings.frames, settings.frame_size, settings.frame_size, 3), "uint8")
    if medium == "audio":
        varies = settings.short == "own"
        if settings.audio == "waveform":
            return Form(medium, "sequence", (settings.samples, 1), "float32", varies)
        shape = (1 + settings.samples // settings.hop, settings.window // 2 + 1)
        if settings.audio == "picture":
            return Form(medium, "image", shape, "float32")
        return Form(medium, "sequence", shape, "float32", varies)
    return _form_of_arrays(files)


def read_row(file: File | Clip, form: Form, settings: MediaSettings) -> Row:
    """Return one file of a modality that is not text, or a section of a sound or video, as a row.

    Raises:
        Unreadable: the file cannot become a row.
        ConfigError: a package that is needed is not installed.
    """
    clip = as_clip(file)
    if isinstance(clip.file, Path) and not clip.file.is_file():
        raise Unreadable("missing", "there is no such file")
    try:
        return _read(clip, form, settings)
    except (Unreadable, ConfigError, OSError):
        raise
    except MemoryError as error:
        raise Unreadable("too large", "needs more memory than there is") from error
    except Exception as error:  # a damaged file may end a decoder in any way
        raise Unreadable("damaged", f"cannot be decoded ({type(error).__name__}: {error})") from error


def _read(clip: Clip, form: Form, settings: MediaSettings) -> Row:
    if form.medium == "image":
        return Row(*read_picture(clip.file, settings))
    if form.medium == "video":
        return Row(*read_video(clip, settings))
    if form.medium == "audio":
        return Row(read_sound(clip, settings))
    return Row(read_stored_array(clip.file, (None, *form.shape[1:]) if form.varies else form.shape))


def packages_for(medium: Medium, endings: Iterable[str]) -> set[str]:
    """Return the modules that decode files with these endings.

    Example:
        >>> sorted(packages_for("audio", [".wav", ".mp4"]))
        ['av', 'soundfile']
    """
    if medium == "audio":
        return {"soundfile" if ending.lower() in SOUNDFILE else "av" for ending in endings}
    return {"image": {"PIL"}, "video": {"av", "PIL"}}.get(medium, set())


def _form_of_arrays(files: Iterable[File]) -> Form:
    counts: dict[tuple[int, ...], int] = {}
    types: dict[tuple[int, ...], set[np.dtype]] = {}
    for file in files:
        try:
            array = open_array(file)
        except (Unreadable, OSError):
            continue  # it is reported when it is read
        counts[array.shape] = counts.get(array.shape, 0) + 1
        types.setdefault(array.shape, set()).add(array.dtype)
    if not counts:
        return Form("array", "vector", (1,), "float32")
    ends: dict[tuple[int, tuple[int, ...]], int] = {}
    for shape, count in counts.items():
        end = (len(shape), shape[1:] if len(shape) > 1 else shape)
        ends[end] = ends.get(end, 0) + count
    usual = max(ends, key=lambda end: (ends[end], end))
    shapes = [shape for shape in counts if (len(shape), shape[1:] if len(shape) > 1 else shape) == usual]
    longest = max(shapes)
    dtype = np.result_type(*(dtype for shape in shapes for dtype in types[shape]))
    varies = len(shapes) > 1
    kind = infer_kind((0, None, *longest[1:]) if varies else (0, *longest), dtype)
    if varies and kind not in ("sequence", "video", "tensor"):
        kind = "tensor"
    return Form("array", kind, longest, dtype.str, varies)
