"""Checks that the author of a training method runs on it: three lines in a file of tests. They need pytest."""

from equimodal.testing.methods import MethodConformance

__all__ = ["MethodConformance"]
