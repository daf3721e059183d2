"""Classifiers over named modalities: encoders, fusions, the cross-modal mapping and memory."""
