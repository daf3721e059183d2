"""One modality in the form its encoder takes: prepared once, or as the features that a cache has of it."""

from __future__ import annotations

from dataclasses import replace

import torch

from equimodal.data.dataset import Dataset
from equimodal.features.cache import FeatureCache
from equimodal.features.modality import column_without_padding, with_features
from equimodal.models.encoders.base import Encoder
from equimodal.modes import evaluating


def prepared(data: Dataset, name: str, encoder: Encoder, cache: FeatureCache | None) -> Dataset:
    """Return the data set with one modality in the form its encoder takes.

    Args:
        data: as it was given.
        name: of the modality.
        encoder: of the modality.
        cache: where the outputs of a frozen part are kept; None: the encoder computes them in each pass.

    Raises:
        DataError: see `FeatureCache.column`.
        RunError: likewise.
    """
    part = None if cache is None else encoder.frozen_part()
    if cache is not None and part is not None:
        with torch.no_grad(), evaluating(encoder):
            return data.with_modalities({name: with_features(cache, part, data.modality(name), name)})
    if encoder.without_padding:
        modality = data.modality(name)
        column = encoder.prepare(column_without_padding(modality))
        return data.with_modalities({name: replace(modality, column=column, lengths=None, double=False)})
    column = encoder.prepare(data.column(name))
    if column is data.column(name) and not encoder.needs_double:
        return data
    return data.replace_column(name, column, double=encoder.needs_double)
