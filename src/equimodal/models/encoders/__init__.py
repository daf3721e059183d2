"""Encoders: one file per family, each turning one modality's values into encodings (B, width)."""
