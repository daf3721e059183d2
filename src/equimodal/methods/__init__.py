"""Training methods: one file each, written as a sequence of updates that the one training loop carries out."""
