"""Estimates with intervals, tests, ranks and resampling: NumPy and SciPy only."""
