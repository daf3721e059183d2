"""The one training loop: updates, selection, checkpoints, history, progress."""
