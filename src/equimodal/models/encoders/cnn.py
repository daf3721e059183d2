"""A small two-dimensional convolutional network for images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS
from equimodal.models.encoders.pixels import PixelEncoder, Pixels


def convolution_blocks(
    height: int, width_pixels: int, channels: int, hidden: Sequence[int]
) -> tuple[nn.Sequential, int]:
    """Return blocks of 3x3 convolution, 2x2 pooling, group normalisation and GELU, and how many values they leave.

    Pooling stops when the picture has 4 pixels per side.

    Args:
        height: pixels.
        width_pixels: pixels.
        channels: of the pictures.
        hidden: channels of the blocks, one number per block.

    Example:
        >>> blocks, left = convolution_blocks(32, 32, 3, [8, 16])
        >>> left == 16 * 8 * 8
        True
    """
    blocks: list[nn.Module] = []
    for after in hidden:
        blocks.append(nn.Conv2d(channels, after, 3, padding=1))
        if min(height, width_pixels) > 4:
            blocks.append(nn.MaxPool2d(2))  # before the normalisation: a quarter of its work
            height, width_pixels = height // 2, width_pixels // 2
        blocks += [nn.GroupNorm(min(8, after), after), nn.GELU()]
        channels = after
    return nn.Sequential(*blocks), channels * height * width_pixels


@ENCODERS.register("cnn")
class CNN(PixelEncoder):
    """Blocks of 3x3 convolution, 2x2 pooling, group normalisation and GELU, then a linear map of what is left.

    Pooling stops when the image has 4 pixels per side. Group normalisation sees one sample at a time,
    so that predictions do not depend on the rest of the batch.

    Pictures must be stored as the training ones were, see `PixelEncoder`.

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
        self.blocks, left = convolution_blocks(height, width_pixels, channels, hidden)
        self.project = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(left, width))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        return self.project(self.blocks(self.pictures(x)))
