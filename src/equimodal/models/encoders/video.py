"""A small encoder for videos: convolutions on each frame, then over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS
from equimodal.models.encoders.cnn import convolution_blocks
from equimodal.models.encoders.pixels import PixelEncoder, Pixels, by_frame
from equimodal.models.encoders.sequence import masked_mean, step_mask


@ENCODERS.register("video")
class Video(PixelEncoder):
    r"""The blocks of `cnn` on each frame, then the mean over time beside that of a temporal convolution.

    With $f_t$ the features of frame $t$, the encoding is a linear map of

    $$\left[\frac{1}{T} \sum_t f_t, \; \frac{1}{T} \sum_t \mathrm{GELU}(\mathrm{norm}(W * f)_t)\right].$$

    The first half says what is seen, the second what changes. Only frames that are not padding are encoded, and the
    convolution sees zeros beyond them, so that an encoding does not depend on how far the batch was padded. Pixels must
    be stored as the training ones were, see `PixelEncoder`.

    Shapes: (B, T, H, W, channels), any numeric type, lengths (B,), to (B, width).

    Args:
        height: pixels of a frame.
        width_pixels: pixels of a frame.
        channels: colour channels.
        width: size of the encoding.
        hidden: channels of the blocks, one number per block.
        steps: size of a frame's features.
        kernel: frames that the temporal convolution sees (odd).
        dropout: probability of dropping a pooled value while training.
        pixels: how the training videos were stored: "uint8", "integer" or "float"; None: any will do.

    Example:
        >>> encoder = Video(height=16, width_pixels=16, width=8)
        >>> encoder(torch.zeros(2, 5, 16, 16, 3), torch.tensor([5, 2])).shape
        torch.Size([2, 8])
    """

    kinds = ("video",)

    def __init__(
        self,
        height: int,
        width_pixels: int,
        channels: int = 3,
        width: int = 64,
        hidden: tuple[int, ...] | list[int] = (16, 32, 64),
        steps: int = 64,
        kernel: int = 3,
        dropout: float = 0.1,
        pixels: Pixels | None = None,
    ) -> None:
        if kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number of frames, got {kernel}")
        super().__init__(
            height=height,
            width_pixels=width_pixels,
            channels=channels,
            width=width,
            hidden=list(hidden),
            steps=steps,
            kernel=kernel,
            dropout=dropout,
            pixels=pixels,
        )
        self.blocks, left = convolution_blocks(height, width_pixels, channels, hidden)
        self.frame = nn.Sequential(nn.Flatten(), nn.Linear(left, steps))
        self.convolution = nn.Conv1d(steps, steps, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(steps)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * steps, width)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        mask = step_mask(x, lengths).float()  # pixels may be integers
        seen = by_frame(lambda frames: self.frame(self.blocks(self.pictures(frames))), x, mask)
        changes = nn.functional.gelu(self.norm(self.convolution(seen.transpose(1, 2)).transpose(1, 2)))
        return self.project(self.dropout(torch.cat([masked_mean(seen, mask), masked_mean(changes, mask)], dim=1)))
