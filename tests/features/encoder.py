"""A frozen random projection with a trainable head, registered as an encoder."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from equimodal.data.columns.base import Column, Rectangle, Selection, Spec, Values
from equimodal.features.part import FEATURES
from equimodal.models.encoders.base import ENCODERS, Encoder
from equimodal.models.encoders.sequence import step_mask


class Projected(Encoder):
    """Rows or time steps through a frozen projection; then a linear map, for sequences of the mean of the steps."""

    kinds = ("vector", "sequence")
    encoded: ClassVar[list[int]] = []
    """How many rows each call of the frozen projection has had, of all encoders."""

    def __init__(self, features: int, width: int = 6, hidden: int = 5, revision: str = "a") -> None:
        super().__init__(features=features, width=width, hidden=hidden, revision=revision)
        generator = torch.Generator().manual_seed(1)
        self.projection = nn.Parameter(torch.randn(hidden, features, generator=generator), requires_grad=False)
        self.head = nn.Linear(hidden, width)

    def project(self, x: Tensor) -> Tensor:
        """Return what is the same to the bit for a row in any batch, unlike a matrix product."""
        self.encoded.append(len(x))
        return torch.tanh(sum(x[..., i, None] * self.projection[:, i] for i in range(x.shape[-1])))  # pyright: ignore

    def forward(self, x: Any, lengths: Tensor | None = None) -> Tensor:
        hidden = x[FEATURES] if isinstance(x, dict) else self.project(x)
        if hidden.ndim == 3:
            mask = step_mask(hidden, lengths)
            steps = (hidden * mask).unbind(1)  # added up one by one: padding changes no bit
            hidden = sum(steps[1:], steps[0]) / mask.sum(1)
        return self.head(hidden)

    def frozen_part(self) -> FrozenProjection:
        return FrozenProjection(self)


class FrozenProjection:
    def __init__(self, encoder: Projected) -> None:
        self.encoder = encoder

    def identity(self) -> dict[str, Any]:
        return {"name": "projected", **self.encoder.options}

    def features_of(self, column: Column) -> Spec:
        return Spec("tensor", (*column.spec.shape[:-1], self.encoder.options["hidden"]), np.dtype(np.float32))

    def encode(self, column: Column, rows: Selection) -> Values:
        assert not self.encoder.training
        assert not torch.is_grad_enabled()
        values = cast(Rectangle, column.take(rows))
        if isinstance(values, list):
            return [self.encoder.project(torch.from_numpy(np.float32(row))).numpy() for row in values]
        return self.encoder.project(torch.from_numpy(np.array(values, np.float32))).numpy()


def register(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Know the encoder as "projected" for one test; return the list of what its projection has encoded."""
    ENCODERS.names()  # the others are there
    monkeypatch.setitem(ENCODERS._members, "projected", Projected)
    monkeypatch.setattr(Projected, "encoded", [])
    return Projected.encoded
