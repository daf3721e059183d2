"""Decoding media: one picture, sound, video, text or array file at a time becomes a row of a column."""
