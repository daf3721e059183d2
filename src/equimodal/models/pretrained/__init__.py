"""Pretrained encoders: where their weights come from, which models are known, what they read, and what of them trains."""
