"""Data: what a sample is made of, how rows are split, and where they come from."""
