"""The tiny data of :mod:`training.runs`."""

from training.runs import tiny

__all__ = ["tiny"]
