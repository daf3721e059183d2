"""A modality whose rows are features in place of what they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from equimodal.data.columns.base import Column, SelectedColumn
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.columns.trimmed import TrimmedColumn
from equimodal.data.modality import Modality
from equimodal.features.cache import FeatureCache
from equimodal.features.part import FrozenPart


def with_features(cache: FeatureCache, part: FrozenPart, modality: Modality, name: str) -> Modality:
    """Return a modality with the features of its present rows; the missing ones are encoded first.

    Features are kept for the column that a selection comes from, so that all parts of a data set, and other splits of
    it, share them. Rows that the modality lacks are neither read nor encoded.

    Args:
        cache: where features are kept.
        part: the frozen part of the modality's encoder.
        modality: column, presence and lengths.
        name: of the modality, for messages.

    Raises:
        DataError: see `FeatureCache.column`.
        RunError: likewise.
    """
    column = column_without_padding(modality)
    source, rows = (column.source, column.rows) if isinstance(column, SelectedColumn) else (column, None)
    here = np.flatnonzero(modality.present)
    features = cache.column(part, source, here if rows is None else rows[here], name)
    found: Column = features if rows is None else features.select(rows)
    return replace(modality, column=found, lengths=None, double=False)


def column_without_padding(modality: Modality) -> Column:
    """Return the column with what is valid of each row.

    Lengths belong to the selection, not to its source: features of padded rows are shared by no other selection.
    """
    column, lengths = modality.column, modality.lengths
    if lengths is None:
        return column
    source, rows = (column.source, column.rows) if isinstance(column, SelectedColumn) else (column, slice(None))
    if isinstance(source, RaggedColumn):
        cut = modality.present & (source.steps[rows] != lengths)
        if not cut.any():
            return column
    return TrimmedColumn(column, lengths)
