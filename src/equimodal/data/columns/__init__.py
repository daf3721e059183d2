"""Columns: where the rows of a modality come from. One small class per source, one interface."""
