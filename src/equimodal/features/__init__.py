"""The cache of what frozen encoders return: computed once a row, then read from disk."""
