"""Sound at another rate."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np


def resampled(wave: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Return a waveform at another rate, by a polyphase filter (`scipy.signal.resample_poly`).

    Example:
        >>> len(resampled(np.zeros(8000, np.float32), 8000, 16000))
        16000
    """
    if rate == target:
        return wave
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    up, down = target // common, rate // common
    return resample_poly(wave, up, down, window=_filter(up, down)).astype(np.float32)  # pyright: ignore[reportArgumentType]


@cache
def _filter(up: int, down: int) -> np.ndarray:
    """Return the filter that `resample_poly` would design each time, which takes longer than to apply it."""
    from scipy.signal import firwin

    most = max(up, down)
    kaiser: Any = ("kaiser", 5.0)
    return np.asarray(firwin(20 * most + 1, 1 / most, window=kaiser), np.float32)
