"""Pictures of arrays, inside a page: what a sample looks and sounds like."""

from __future__ import annotations

import base64
import io

import numpy as np

_TALL, _WIDE = 64, 160
"""Pixels of a drawn waveform."""


def data_uri(pixels: np.ndarray) -> str:
    """Return a picture as the address of an `img` element, which holds the picture itself.

    Args:
        pixels: uint8 (H, W), (H, W, 1) or (H, W, 3).

    Example:
        >>> data_uri(np.zeros((2, 2), np.uint8))[:22]
        'data:image/png;base64,'
    """
    from matplotlib.image import imsave

    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    file = io.BytesIO()
    imsave(file, pixels, format="png", metadata={"Software": "equimodal"})  # no version
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def as_pixels(values: np.ndarray) -> np.ndarray:
    """Return a picture as uint8: integers from 0 to 255 as they are, others stretched from least to greatest.

    Example:
        >>> as_pixels(np.array([[0.0, 0.5, 1.0]])).tolist()
        [[0, 127, 255]]
    """
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


def heat_map(values: np.ndarray) -> np.ndarray:
    """Return a sequence as a picture: time to the right, the first feature at the bottom, large values bright.

    Args:
        values: (T, F).

    Example:
        >>> heat_map(np.array([[0.0, 1.0], [2.0, 4.0]])).tolist()
        [[63, 255], [0, 127]]
    """
    return as_pixels(values.T[::-1])


def envelope(wave: np.ndarray) -> np.ndarray:
    """Return a waveform as a picture: for each stretch of time a line from its least to its greatest sample.

    Args:
        wave: (T,).
    """
    size = max(1, float(np.abs(wave).max()))
    pieces = np.array_split(wave, min(_WIDE, len(wave)))
    rows = np.arange(_TALL)[:, None]
    top = np.array([(1 - piece.max() / size) for piece in pieces]) * (_TALL - 1) / 2
    bottom = np.array([(1 - piece.min() / size) for piece in pieces]) * (_TALL - 1) / 2
    return np.where((rows >= np.floor(top)) & (rows <= np.ceil(bottom)), 40, 255).astype(np.uint8)
