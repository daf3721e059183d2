"""Comparisons: methods by data sets by seeds, declared comparisons, tuning, and the numbers that result."""
