"""What may stand for an absent encoding, by the name that the fusions' option `absent` takes."""

from __future__ import annotations

from collections.abc import Sequence

from equimodal.errors import ConfigError
from equimodal.models.absence.iterative import ChainedRidge
from equimodal.models.absence.knn import NearestNeighbours
from equimodal.models.absence.mapped import LearnedMaps
from equimodal.models.absence.stand_in import VECTORS, StandIn

ABSENT = (*VECTORS, "knn", "iterative", "mapped")


def make_stand_in(absent: str, modalities: Sequence[str], width: int, neighbours: int) -> StandIn:
    """Return what takes the place of absent encodings.

    Args:
        absent: one of `ABSENT`.
        modalities: names.
        width: size of the encodings.
        neighbours: training rows that "knn" takes the mean of.

    Raises:
        ConfigError: there is no such choice, or `neighbours` is out of its range.

    Example:
        >>> make_stand_in("knn", ["a", "b"], width=4, neighbours=10).neighbours
        10
    """
    if absent in VECTORS:
        return StandIn(modalities, width, absent)
    if absent == "knn":
        return NearestNeighbours(modalities, width, neighbours)
    if absent == "iterative":
        return ChainedRidge(modalities, width)
    if absent == "mapped":
        return LearnedMaps(modalities, width)
    expected = " or ".join(map(repr, ABSENT))
    raise ConfigError(f"fusion option 'absent': expected {expected}, got '{absent}'. Choose one of them.")
