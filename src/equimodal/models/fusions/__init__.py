"""Fusions: one file each, turning the encodings of the modalities present into logits."""
