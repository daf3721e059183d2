"""Training methods: one file each, written as a sequence of updates. One training loop runs them."""
