"""Evaluating what was trained: comparisons of methods over seeds, and their statistics."""
