"""Sound at another rate."""

from __future__ import annotations

import math

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
    return resample_poly(wave, target // common, rate // common).astype(np.float32)
