"""Pretrained encoders: where weights come from, which models are known, what they read, what of them trains."""
