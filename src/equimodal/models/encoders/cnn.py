"""A small two-dimensional convolutional network for images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from equimodal.data.columns.base import Spec
from equimodal.models.encoders.base import ENCODERS, Encoder
from equimodal.models.encoders.standardise import Standardise

Pixels = Literal["uint8", "integer", "float"]
"""How the values of pictures are stored, and so on which scale: integers from 0 to 255, others, or floats."""


def pixels_of(dtype: np.dtype) -> Pixels:
    """Return how pictures of a type are stored.

    Example:
        >>> pixels_of(np.dtype("uint8")), pixels_of(np.dtype("float16"))
        ('uint8', 'float')
    """
    if dtype == np.uint8:
        return "uint8"
    return "float" if dtype.kind == "f" else "integer"


_FORMS = {"uint8": "integers from 0 to 255 (uint8)", "integer": "integers (not uint8)", "float": "floats"}
_ADVICE = {
    "uint8": "Give them as they were stored: floats from 0 to 1 are (255 * x).round().astype('uint8') again.",
    "integer": "Store them as those were, for instance with .astype('int64').",
    "float": "Scale them as those were: if that was from 0 to 1, uint8 is (x / 255).astype('float32').",
}


@ENCODERS.register("cnn")
class CNN(Encoder):
    """Blocks of 3x3 convolution, 2x2 pooling, group normalisation and GELU, then a linear map of what is left.

    Pooling stops when the image has 4 pixels per side. Group normalisation sees one sample at a time,
    so that predictions do not depend on the rest of the batch.

    Pictures must be stored as the training ones were, because the scale follows from the type: the
    statistics of integers from 0 to 255 do not fit floats from 0 to 1 (ours).

    Shapes: (B, H, W) or (B, H, W, channels), any numeric type, to (B, width).

    Args:
        height: pixels.
        width_pixels: pixels.
        channels: colour channels; 1 for images without a channel axis.
        width: size of the encoding.
        hidden: channels of the blocks, one number per block.
        dropout: probability of dropping a pooled value while training.
        pixels: how the training pictures were stored: "uint8", "integer" or "float"; None: any will do.

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
        pixels: Pixels | None = None,
    ) -> None:
        super().__init__(
            height=height,
            width_pixels=width_pixels,
            channels=channels,
            width=width,
            hidden=list(hidden),
            dropout=dropout,
            pixels=pixels,
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
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return height, width and channels of the images, and how they are stored."""
        height, width_pixels, channels = (*spec.shape, 1)[:3]
        return {"height": height, "width_pixels": width_pixels, "channels": channels, "pixels": pixels_of(spec.dtype)}

    def mismatch(self, modality: str, expected: dict[str, Any], found: dict[str, Any]) -> str:
        """Return the message; pictures of the right size that are stored otherwise get one that says so."""
        was, now = expected["pixels"], found["pixels"]
        if {**expected, "pixels": now} != found:
            return super().mismatch(modality, expected, found)
        return f"{modality}: the model was trained on pictures of {_FORMS[was]}, got {_FORMS[now]}. {_ADVICE[was]}"

    def fit_inputs(self, chunks: Iterable[np.ndarray]) -> None:
        """Learn each colour channel's mean and deviation."""
        self.standardise.fit(chunks)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        if x.ndim == 3:
            x = x.unsqueeze(-1)
        return self.project(self.blocks(self.standardise(x).permute(0, 3, 1, 2)))
