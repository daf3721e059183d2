"""A small two-dimensional convolutional network for images."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS, Encoder, Standardise


@ENCODERS.register("cnn")
class CNN(Encoder):
    """Blocks of 3x3 convolution, 2x2 pooling, group normalisation and GELU, then a linear map of what is left.

    Pooling stops when the image has shrunk to 4 pixels a side. Group normalisation sees one sample at a time,
    so that predictions do not depend on the rest of the batch.

    Shapes: (B, H, W) or (B, H, W, channels), any numeric type, to (B, width).

    Args:
        height: pixels.
        width_pixels: pixels.
        channels: colour channels; 1 for images without a channel axis.
        width: size of the encoding.
        hidden: channels of the blocks, one number a block.
        dropout: probability of dropping a pooled value while training.

    Example:
        >>> import torch
        >>> CNN(height=32, width_pixels=32, channels=3, width=8)(torch.zeros(2, 32, 32, 3)).shape
        torch.Size([2, 8])
    """

    kinds = ("image",)

    def __init__(
        self,
        height: int,
        width_pixels: int,
        channels: int = 3,
        width: int = 64,
        hidden: tuple[int, ...] | list[int] = (32, 64, 128),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            height=height,
            width_pixels=width_pixels,
            channels=channels,
            width=width,
            hidden=list(hidden),
            dropout=dropout,
        )
        self.channels = channels
        self.standardise = Standardise(channels)
        blocks: list[nn.Module] = []
        before = channels
        for after in hidden:
            blocks.append(nn.Conv2d(before, after, 3, padding=1))
            if min(height, width_pixels) > 4:
                blocks.append(nn.MaxPool2d(2))  # before the normalisation: a quarter of its work
                height, width_pixels = height // 2, width_pixels // 2
            blocks += [nn.GroupNorm(min(8, after), after), nn.GELU()]
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(before * height * width_pixels, width)
        )

    @classmethod
    def describe(cls, values: np.ndarray) -> dict[str, Any]:
        """Return height, width and channels of the images."""
        channels = values.shape[3] if values.ndim == 4 else 1
        return {"height": int(values.shape[1]), "width_pixels": int(values.shape[2]), "channels": channels}

    def fit_inputs(self, values: np.ndarray, lengths: np.ndarray | None) -> None:
        """Learn each colour channel's mean and deviation."""
        self.standardise.fit(values if values.ndim == 4 else values[..., None])

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        if x.ndim == 3:
            x = x.unsqueeze(-1)
        return self.project(self.blocks(self.standardise(x).permute(0, 3, 1, 2)))
