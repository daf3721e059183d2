"""Where a model is right, which modality adds to it or misleads it, and how far its probabilities can be trusted."""
