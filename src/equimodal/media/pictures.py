"""Pictures, with Pillow: JPEG, PNG, WebP and what else it reads, by content and not by the name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from equimodal.extras import need
from equimodal.media.content import File, readable, size_of
from equimodal.media.settings import Fit, MediaSettings
from equimodal.media.unreadable import Unreadable

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What may be opened. EPS is not among them: Pillow would start another program for it."""
_SMALL = (9, 8)
_FLAT = 2.0
"""Standard deviation of a small grey picture, from 0 to 255, below which it shows nothing to compare."""


def read_picture(file: File, settings: MediaSettings) -> tuple[np.ndarray, int | None]:
    """Return a picture as it is stored, uint8 (size, size, 3), and its likeness (see `likeness`).

    Of an animation the first picture is read. What the camera noted about turning is applied, transparent parts become
    white, and 16 bits and floats from 0 to 1 (or to 255) become 8 bits.

    Raises:
        Unreadable: it is no picture, is cut short, or has more pixels than `settings.max_pixels`.
    """
    image = _opened(file, settings.max_pixels)
    return np.asarray(fitted(image, settings.image_size, settings.fit)), likeness(image)


def fitted(image: Any, size: int, fit: Fit) -> Any:
    """Return a Pillow picture in RGB at size x size."""
    operations = need("PIL.ImageOps")
    bilinear = need("PIL.Image").Resampling.BILINEAR
    if fit == "stretch":
        return image.resize((size, size), bilinear)
    if fit == "pad":
        return operations.pad(image, (size, size), bilinear, color="white")
    return operations.fit(image, (size, size), bilinear)


def likeness(image: Any) -> int | None:
    """Return 64 bits that pictures share which look alike: for each place whether it gets brighter to the right.

    The picture is made grey and shrunk to 9 x 8 pixels (a difference hash). Copies in another size, format or quality
    differ in few bits. None for a picture of one colour, which looks like every other of that kind.
    """
    small = np.asarray(image.convert("L").resize(_SMALL, need("PIL.Image").Resampling.BOX), np.int64)
    if small.std() < _FLAT:
        return None
    bits = (small[:, 1:] > small[:, :-1]).reshape(-1)
    return int(np.packbits(bits).tobytes().hex(), 16)


def _opened(file: File, most: int) -> Any:
    pillow, operations = need("PIL.Image"), need("PIL.ImageOps")
    if not size_of(file):
        raise Unreadable("empty", "holds no byte")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures are refused below, by our own limit
            pillow.init()
            image = pillow.open(readable(file), formats=[form for form in FORMATS if form in pillow.OPEN])
            width, height = image.size
            if width * height > most:
                raise Unreadable(
                    "too large", f"is a picture of {width} x {height} pixels, more than --max-pixels {most}"
                )
            image.load()
            return _rgb(operations.exif_transpose(image))
    except Unreadable:
        raise
    except pillow.DecompressionBombError as error:
        raise Unreadable("too large", f"is a picture of too many pixels ({error})") from error
    except pillow.UnidentifiedImageError as error:
        raise Unreadable("damaged", "is no picture of a known form") from error
    except Exception as error:  # its readers raise errors of many classes
        cause = "cut short" if "truncated" in str(error).lower() else "damaged"
        raise Unreadable(cause, f"cannot be decoded as a picture ({error})") from error


def _rgb(image: Any) -> Any:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = need("PIL.Image").fromarray(_in_bytes(np.asarray(image, np.float64), image.mode))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = need("PIL.Image").new("RGBA", image.size, "white")
        image = need("PIL.Image").alpha_composite(ground, image)
    return image.convert("RGB")


def _in_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """Return the grey values of a picture of 16 bits, or of floats from 0 to 1 or to 255, in 8 bits.

    Raises:
        Unreadable: they are in no such range.
    """
    if not np.isfinite(values).all():
        raise Unreadable("not finite", "is a picture that holds NaN or infinite numbers")
    most = 65_535 if mode.startswith("I") else 1 if values.max() <= 1 else 255
    if values.min() < 0 or values.max() > most:
        raise Unreadable(
            "wrong shape",
            f"holds numbers from {values.min():g} to {values.max():g}, expected 0 to {most}; save it with 8 bits",
        )
    return (values / 256 if most > 255 else values * (255 / most)).astype(np.uint8)
