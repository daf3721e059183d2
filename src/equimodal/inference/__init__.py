"""Using a trained model: predictions, and evaluation on other data, with any subset of the modalities."""
