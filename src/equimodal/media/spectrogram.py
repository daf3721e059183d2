"""The logarithm of a sound's short-time spectrum."""

from __future__ import annotations

import numpy as np

FLOOR = 1e-7
"""Added before the logarithm: silence becomes -16.1."""


def log_spectrogram(wave: np.ndarray, window: int, hop: int) -> np.ndarray:
    r"""Return the log spectrogram of a waveform.

    $$X_{t,f} = \log\Big(\Big|\sum_{n=0}^{W-1} h_n\, x_{tH + n - W/2}\; e^{-2\pi i f n / W}\Big| + 10^{-7}\Big), \qquad
    h_n = \tfrac12 - \tfrac12 \cos(2\pi n / W)$$

    The waveform counts as 0 outside of its samples, so that window t is centred at sample tH.

    Args:
        wave: x (n,).
        window: W.
        hop: H.

    Returns:
        float32 (1 + n // H, W // 2 + 1): times, and frequencies from 0 to half of the sampling rate.

    Example:
        >>> log_spectrogram(np.zeros(66150, np.float32), 512, 353).shape
        (188, 257)
    """
    half = window // 2
    padded = np.pad(wave.astype(np.float64), (half, window))
    starts = np.arange(1 + len(wave) // hop) * hop
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, window)[starts]
    return np.log(np.abs(np.fft.rfft(pieces * hann)) + FLOOR).astype(np.float32)
