"""The tiny data of `runs`."""

from training.runs import tiny

__all__ = ["tiny"]
