"""Fusions that read all modalities side by side: something takes the place of an absent one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equimodal.models.absence.choices import make_stand_in
from equimodal.models.absence.imputer import Imputer
from equimodal.models.fusions.base import Encodings, OneHead, Presence


class FillingFusion(OneHead):
    """Base of fusions that put something in the place of an absent encoding, and then decide.

    Args:
        modalities: names.
        width: size of the encodings.
        classes: number of classes.
        absent: what is put there: "mean" (of the training encodings), "zeros", "learned" (a vector that is trained
            wherever the modality is absent in training); or what is imputed from the modalities present: "knn",
            "iterative" or "mapped", see `NearestNeighbours`, `ChainedRidge` and `LearnedMaps` in
            `equimodal.models.absence`.
        neighbours: training rows that "knn" takes the mean of.
        options: the subclass's own arguments.

    Raises:
        ConfigError: `absent` is none of these, or `neighbours` is out of its range.
    """

    absence = "the mean training encoding takes its place (options: zeros, a learned vector, three imputations)"

    def __init__(
        self, modalities: Sequence[str], width: int, classes: int, *, absent: str, neighbours: int, **options: Any
    ) -> None:
        super().__init__(modalities, width, classes, absent=absent, neighbours=neighbours, **options)
        self.substitute = make_stand_in(absent, self.modalities, width, neighbours)

    @property
    def fits_on_training(self) -> bool:
        """Whether absent encodings are imputed."""
        return self.substitute.fits_on_training

    def fit(self, encodings: Encodings, present: Presence) -> None:
        """Fit what imputes absent encodings on training rows."""
        self.substitute.fit(encodings, present)

    def read(self, filled: list[Tensor]) -> Tensor:
        """Return what the last layer reads (B, F), of the encodings (B, width) of all modalities, in order."""
        raise NotImplementedError

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return what the last layer reads (B, F)."""
        return self.read(self.substitute(encodings, present))

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C): row k as if only the modalities of `coalitions[k]` (n,) were present."""
        if not isinstance(self.substitute, Imputer):
            return super().coalitions(encodings, present, coalitions)
        each = self.substitute.fill_coalitions(encodings, present, coalitions)
        return torch.stack([self.head(self.read(filled)) for filled in each])
