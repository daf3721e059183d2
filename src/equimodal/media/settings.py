"""What media become: sizes, lengths, rates, and the limits on what is read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from equimodal.config.section import Section

Fit = Literal["crop", "pad", "stretch"]


class MediaSettings(Section):
    """How media become rows of one shape.

    Args:
        image_size: height and width of a picture, in pixels.
        fit: `crop` scales the shorter side and cuts the longer one around its middle; `pad` scales the longer side and
            fills up with white; `stretch` changes the proportions.
        frames: of a video that are kept, in equal distances of time.
        frame_size: height and width of a frame, in pixels.
        audio: `spectrogram` (see `equimodal.media.spectrogram`), a sequence; `picture`, the same as an image of one
            size, in which silence follows a shorter sound; or `waveform`.
        sampling_rate: of sound, in Hz.
        seconds: of sound that are kept, from its beginning.
        short: what becomes of a shorter sound: `own` keeps its length; `tile` repeats it until it lasts `seconds`.
        window: samples of the spectrogram's window.
        hop: samples from one window to the next.
        encoding: of text files.
        max_pixels: of a picture or frame; a larger one is refused before it is decoded.
        max_seconds: of a sound or video; a longer one is refused.
        max_decode: seconds of the clock that one file may take.

    Example:
        >>> MediaSettings(image_size=32).frames
        4
    """

    image_size: int = Field(default=64, ge=1, le=4096)
    fit: Fit = "crop"
    frames: int = Field(default=4, ge=1, le=10_000)
    frame_size: int = Field(default=64, ge=1, le=4096)
    audio: Literal["spectrogram", "picture", "waveform"] = "spectrogram"
    sampling_rate: int = Field(default=16_000, ge=100, le=768_000)
    seconds: float = Field(default=3.0, gt=0)
    short: Literal["own", "tile"] = "own"
    window: int = Field(default=512, ge=2)
    hop: int = Field(default=256, ge=1)
    encoding: str = "utf-8"
    max_pixels: int = Field(default=100_000_000, ge=1)
    max_seconds: float = Field(default=600.0, gt=0)
    max_decode: float = Field(default=300.0, gt=0)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError as error:  # also of codecs that are no text encodings
            raise ValueError(f"unknown encoding '{value}'") from error
        return value

    @property
    def samples(self) -> int:
        """Samples of a sound that are kept at most."""
        return max(1, round(self.seconds * self.sampling_rate))
