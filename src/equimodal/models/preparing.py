"""One modality in the form its encoder takes: prepared once, or as the features that a cache has of it."""

from __future__ import annotations

from dataclasses import replace

from equimodal.data.modality import Modality
from equimodal.features.cache import FeatureCache
from equimodal.features.modality import with_features
from equimodal.models.encoders.base import Encoder


def prepared(encoder: Encoder, modality: Modality, name: str, cache: FeatureCache | None) -> Modality:
    """Return a modality in the form its encoder takes.

    Args:
        encoder: of the modality.
        modality: as it was given.
        name: of the modality, for messages.
        cache: where the outputs of a frozen part are kept; None: the encoder computes them in each pass.

    Raises:
        DataError: see `FeatureCache.column`.
        RunError: likewise.
    """
    part = None if cache is None else encoder.frozen_part()
    if cache is not None and part is not None:
        return with_features(cache, part, modality, name)
    column = encoder.prepare(modality.column)
    if column is modality.column and not encoder.needs_double:
        return modality
    return replace(modality, column=column, double=encoder.needs_double)
