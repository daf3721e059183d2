"""ResNet-18 for pictures and videos, in torchvision's layout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from equimodal.models.encoders.base import ENCODERS
from equimodal.models.encoders.pixels import PixelEncoder, Pixels, by_frame
from equimodal.models.encoders.sequence import masked_mean, step_mask
from equimodal.models.encoders.stored import load_parameters

Norm = Literal["group", "batch"]
"""Group normalisation, of one sample at a time, or batch normalisation with running statistics."""

PER_GROUP = 16
"""Channels of a group: the smallest feature maps of small pictures still have that many values to normalise over."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, with torchvision's names.

    Args:
        before: channels of the input.
        after: channels of the output.
        stride: of the first convolution.
        norm: which normalisation.
    """

    def __init__(self, before: int, after: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = _norm(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), _norm(norm, after))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, after, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(x)) + shortcut).relu()


@ENCODERS.register("resnet18")
class ResNet18(PixelEncoder):
    r"""ResNet-18 for pictures or for videos, whose frames are encoded one by one and averaged over time.

    A 7x7 convolution and a pooling halve the picture twice; eight blocks of two 3x3 convolutions follow, then the mean
    over what is left of the picture, for videos over the frames that are not padding too, and a linear map. Layers and
    parameters are called as in torchvision. Any size and any number of channels will do: a spectrogram, declared as of
    kind `image`, has one.

    Where we deviate from the paper: it uses batch normalisation. By default this uses **group normalisation** (Wu and
    He, 2018, 16 channels in each group): it sees one sample at a time, so that training and prediction never depend on
    the rest of the batch. With `norm="batch"` training does; evaluation uses the running statistics, so that
    predictions do not.

    `weights` begins from parameters that torchvision, or a training of yours, stored. All must fit but those of `fc`,
    which is new. They were trained with batch normalisation: with it, features are those of the stored network from the
    start; with groups they are a beginning from which to train. Colours are standardised by the training rows here,
    where torchvision uses the statistics of ImageNet. For one channel the filters of the first layer are summed over
    their colours, as if the picture were grey. A run keeps all weights, so that loading it needs no such file.

    Shapes: (B, H, W), (B, H, W, channels) or (B, T, H, W, channels), any numeric type, lengths (B,), to (B, width).

    Args:
        channels: colour channels; 1 for images without a channel axis.
        width: size of the encoding.
        hidden: channels of the first blocks; 64, 128, 256 and 512 in the paper. Fewer suit small data.
        norm: "group" or "batch".
        weights: a safetensors file with torchvision's names; None: random weights.
        height: pixels of the training pictures, which others are checked against; None: any.
        width_pixels: likewise.
        pixels: how the training pictures were stored: "uint8", "integer" or "float"; None: any will do.

    Raises:
        ConfigError: the file of weights is missing, a pickle, or does not fit.

    Source: He, Zhang, Ren, Sun, 2016, "Deep residual learning for image recognition".

    Example:
        >>> import torch
        >>> encoder = ResNet18(channels=1, width=8)
        >>> encoder(torch.zeros(2, 40, 50)).shape, encoder(torch.zeros(2, 3, 40, 50, 1), torch.tensor([3, 1])).shape
        (torch.Size([2, 8]), torch.Size([2, 8]))
        >>> sum(p.numel() for name, p in ResNet18().named_parameters() if not name.startswith("fc"))  # torchvision's
        11176512
    """

    kinds = ("image", "video")

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        hidden: int = 64,
        norm: Norm = "group",
        weights: str | None = None,
        height: int | None = None,
        width_pixels: int | None = None,
        pixels: Pixels | None = None,
    ) -> None:
        if norm not in ("group", "batch"):
            raise ValueError(f"norm: expected 'group' or 'batch', got {norm!r}")
        super().__init__(  # without the weights: a saved model has its own
            channels=channels,
            width=width,
            hidden=hidden,
            norm=norm,
            height=height,
            width_pixels=width_pixels,
            pixels=pixels,
        )
        self.conv1 = nn.Conv2d(channels, hidden, 7, stride=2, padding=3, bias=False)
        self.bn1 = _norm(norm, hidden)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(hidden, hidden, 1, norm)
        self.layer2 = _layer(hidden, 2 * hidden, 2, norm)
        self.layer3 = _layer(2 * hidden, 4 * hidden, 2, norm)
        self.layer4 = _layer(4 * hidden, 8 * hidden, 2, norm)
        self.fc = nn.Linear(8 * hidden, width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # as torchvision begins
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if weights is not None:
            load_parameters(self, Path(weights), new=("fc.", "standardise."))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width)."""
        if x.ndim < 5:
            return self.fc(self._features(x))
        mask = step_mask(x, lengths).float()  # pixels may be integers
        return self.fc(masked_mean(by_frame(self._features, x, mask), mask))

    def _features(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.bn1(self.conv1(self.pictures(x))).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(math.gcd(channels, max(1, channels // PER_GROUP)), channels)


def _layer(before: int, after: int, stride: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(BasicBlock(before, after, stride, norm), BasicBlock(after, after, 1, norm))
