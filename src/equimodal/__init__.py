"""Measure how much each modality contributes, train the weak ones first, and show what that bought."""

from equimodal._version import __version__

__all__ = ["__version__"]
