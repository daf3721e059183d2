"""The base of what imputes absent encodings from those that are present, fitted on training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from equimodal.known import HostBuffers
from equimodal.models.absence.stand_in import StandIn

ROWS = 1000
"""Training rows that an imputer is fitted on, at most."""


class Imputer(HostBuffers, StandIn):
    """Replace absent encodings by what a sample's present ones tell of them.

    What tells it is in buffers, fitted by `fit` on the encodings of up to `ROWS` training rows after each epoch. Before
    the first fit the running mean takes the place. A row is filled from itself and from what was fitted, never from
    other rows of its batch, and no gradient flows through what is imputed.

    A subclass defines `learn`, `relate` and `impute`.

    Args:
        modalities: names.
        width: size of the encodings.
    """

    hosted: ClassVar[tuple[str, ...]] = ("rows",)
    fits_on_training: ClassVar[bool] = True

    rows: Tensor
    centre: Tensor

    def __init__(self, modalities: Sequence[str], width: int) -> None:
        super().__init__(modalities, width)
        self.register_buffer("rows", torch.zeros((), dtype=torch.long))  # it was fitted on; on the host
        self.register_buffer("centre", torch.zeros(len(self.modalities), width))  # mean encodings of those

    @property
    def fitted(self) -> bool:
        """Whether it was fitted."""
        return bool(self.rows > 0)

    @torch.no_grad()
    def fit(self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
        """Learn from training rows.

        Args:
            encodings: by modality (N, width), N at most `ROWS`.
            present: by modality bool (N,). Rows with nothing present are left out.
        """
        have = torch.stack([present[name] for name in self.modalities], dim=1)
        kept = have.any(1)
        have = have[kept]
        known = torch.stack([encodings[name].float() for name in self.modalities], dim=1)[kept]
        known = torch.where(have.unsqueeze(-1), known, 0.0)  # (N, n, width)
        self.centre.copy_(known.sum(0) / have.sum(0).clamp(min=1).unsqueeze(-1))
        if len(known):
            self.learn(known, have)
        self.rows.fill_(len(known))

    def learn(self, known: Tensor, have: Tensor) -> None:
        """Set the buffers from encodings (N, n, width), 0 where absent, and presence (N, n); `centre` is set."""
        raise NotImplementedError

    def relate(self, encodings: Mapping[str, Tensor]) -> Tensor:
        """Return what the rows' encodings say by themselves: it is worked out once for all coalitions of the rows."""
        raise NotImplementedError

    def impute(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], related: Tensor
    ) -> dict[str, Tensor]:
        """Return encodings (B, width) of the modalities that some row lacks; those of rows that have them are not read.

        Args:
            encodings: by modality (B, width).
            present: by modality bool (B,).
            related: what `relate` made of the same encodings.
        """
        raise NotImplementedError

    def fill(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], related: Tensor | None = None
    ) -> list[Tensor]:
        """Return the encodings (B, width) in order, absent rows replaced; `related` as `relate` returns it, if it was
        called before."""
        instead: dict[str, Tensor] = {}
        if not self.fitted:
            return super().fill(encodings, present)
        if self.lacking(present):
            with torch.no_grad():
                instead = self.impute(encodings, present, self.relate(encodings) if related is None else related)
        return [
            torch.where(present[name].unsqueeze(-1), encodings[name], instead[name].to(encodings[name].dtype))
            if name in instead
            else encodings[name]
            for name in self.modalities
        ]

    def fill_coalitions(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], coalitions: Tensor
    ) -> list[list[Tensor]]:
        """Return for each coalition, bool (K, n), what `fill` gives where only its modalities are present."""
        self.track(encodings, present)
        if self.fitted:
            with torch.no_grad():
                related = self.relate(encodings)
        else:
            related = None
        return [
            self.fill(
                encodings,
                {name: present[name] & inside for name, inside in zip(self.modalities, members, strict=True)},
                related,
            )
            for members in coalitions
        ]

    def lacking(self, present: Mapping[str, Tensor]) -> list[int]:
        """Return the numbers of the modalities that some row lacks."""
        return [i for i, name in enumerate(self.modalities) if not present[name].all()]
