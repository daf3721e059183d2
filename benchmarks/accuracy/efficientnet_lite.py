"""EfficientNet-Lite0, pretrained on ImageNet and frozen, as an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.accuracy.frozen import Frozen
from equimodal.data.columns.base import Spec
from equimodal.errors import ConfigError
from equimodal.models.encoders.pixels import pixels_of
from equimodal.models.encoders.stored import load_parameters
from equimodal.modes import evaluating

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))  # fmt: skip
"""Repeats, kernel, stride, expansion, channels."""


class SamePadding(nn.Conv2d):
    """A convolution whose output has the input's size by the stride, rounded up: padding is larger at the end."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the features."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for size in (input.shape[3], input.shape[2]):
            all_of_it = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [all_of_it // 2, all_of_it - all_of_it // 2]
        return super().forward(F.pad(input, pads))


def convolution(before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> SamePadding:
    """Return a convolution without bias."""
    return SamePadding(before, after, kernel, stride, groups=groups, bias=False)


def norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the epsilon of the weights."""
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """An inverted bottleneck, with the names of the file."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = before * expansion
        if expansion != 1:
            self._expand_conv, self._bn0 = convolution(before, inside), norm(inside)
        self._depthwise_conv, self._bn1 = convolution(inside, inside, kernel, stride, groups=inside), norm(inside)
        self._project_conv, self._bn2 = convolution(inside, after), norm(after)
        self.expands, self.shortcut = expansion != 1, stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """Return the features."""
        inside = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        out = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(inside)))))
        return out + x if self.shortcut else out


class Network(nn.Module):
    """The layers before the classes, with the names of the file: pictures (B, 3, H, W) to (B, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = convolution(3, 32, 3, 2), norm(32)
        blocks, before = [], 32
        for repeats, kernel, stride, expansion, after in STAGES:
            for number in range(repeats):
                blocks.append(Block(before, after, kernel, stride if number == 0 else 1, expansion))
                before = after
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = convolution(before, 1280), norm(1280)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over the picture of the last layer."""
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


class EfficientNetLite(Frozen):
    """EfficientNet-Lite0 (4.7 million parameters with its classes, 3.4 without), frozen.

    Pictures are brought to 224 x 224 pixels. Grey ones are repeated to three channels, and so are
    spectrograms, sequences (steps, features) included.

    Args:
        weights: `efficientnet_lite0.safetensors`, which `tools/build_weights.py` makes.
        pixels: how the pictures are stored.
        width: size of the encoding.
        low: value that becomes black, for floats.
        high: value that becomes white.
        side: pixels a side that the network sees.
    """

    kinds = ("image", "sequence")

    def __init__(
        self,
        weights: str,
        pixels: str | None = None,
        width: int = 64,
        low: float = 0.0,
        high: float = 1.0,
        side: int = 224,
    ) -> None:
        path = Path(weights).resolve()
        super().__init__(1280, width, weights=str(path), pixels=pixels, low=low, high=high, side=side)
        if not low < high:
            raise ConfigError(f"low, high: expected low below high, got {low} and {high}.")
        self.low, self.high, self.side, self.source = low, high, side, path.name
        self.base = Network().requires_grad_(False).eval()
        load_parameters(self.base, path, new=("_fc.",))

    @classmethod
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return how pictures are stored."""
        return {"pixels": pixels_of(spec.dtype)}

    def base_identity(self) -> dict[str, Any]:
        """Return weights and preprocessing."""
        return super().base_identity() | {"preprocessing": {"side": self.side, "low": self.low, "high": self.high}}

    def features_of_rows(self, rows: list[Any]) -> list[Tensor]:
        """Return the vector of each picture (H, W), (H, W, 1) or (H, W, 3)."""
        with torch.no_grad(), evaluating(self.base):
            return [self.base(self.picture(_tensor(row)))[0] for row in rows]

    def picture(self, x: Tensor) -> Tensor:
        """Return a picture as the network takes it, (1, 3, side, side)."""
        low, high = (self.low, self.high) if x.is_floating_point() else (0.0, 255.0)
        x = x.to(self.norm.weight.device, torch.float32)
        x = ((x.unsqueeze(-1) if x.ndim == 2 else x) - low) / (high - low)
        x = x.clamp(0, 1).permute(2, 0, 1).unsqueeze(0)
        x = F.interpolate(x, (self.side, self.side), mode="bilinear", antialias=True)
        return ((255 * x - 127) / 128).expand(-1, 3, -1, -1)  # as the weights were trained


def _tensor(row: Tensor | np.ndarray) -> Tensor:
    return row if isinstance(row, Tensor) else torch.from_numpy(np.array(row))  # a memory map may be read-only
