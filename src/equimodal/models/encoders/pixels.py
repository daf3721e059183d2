"""What encoders of pictures share: the scale of pixels, and going through videos frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from equimodal.data.columns.base import Spec
from equimodal.models.encoders.base import Encoder
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


class PixelEncoder(Encoder):
    """Base of the encoders of pictures and videos: they standardise each colour channel.

    Pictures must be stored as the training ones were, because the scale follows from the type: the
    statistics of integers from 0 to 255 do not fit floats from 0 to 1 (ours).

    Args:
        channels: colour channels.
        options: further arguments of the constructor, see `Encoder`.
    """

    def __init__(self, *, channels: int, **options: Any) -> None:
        super().__init__(channels=channels, **options)
        self.standardise = Standardise(channels)

    @classmethod
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return height, width and channels of a picture or a frame, and how they are stored."""
        shape = spec.shape[1:] if spec.kind == "video" else spec.shape
        height, width_pixels, channels = (*shape, 1)[:3]
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

    def pictures(self, x: Tensor) -> Tensor:
        """Return pictures (B, H, W) or (B, H, W, channels) standardised, with channels first: (B, channels, H, W)."""
        if x.ndim == 3:
            x = x.unsqueeze(-1)
        return self.standardise(x).permute(0, 3, 1, 2)


def by_frame(encode: Callable[[Tensor], Tensor], x: Tensor, mask: Tensor) -> Tensor:
    """Return what `encode` makes of every frame that is not padding.

    Padding never reaches `encode`: it costs nothing, and cannot change the statistics of a batch norm.

    Args:
        encode: from frames (M, H, W, C) to features (M, D).
        x: videos (B, T, H, W, C).
        mask: 1 at the valid frames, 0 in the padding: (B, T, 1), see `step_mask`.

    Returns:
        Features (B, T, D), 0 in the padding.

    Example:
        >>> mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).unsqueeze(-1)
        >>> by_frame(torch.nn.Flatten(), torch.ones(2, 2, 1, 1, 1), mask).squeeze(-1).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
    """
    valid = mask.squeeze(-1) > 0
    if valid.all():
        return encode(x.flatten(0, 1)).unflatten(0, valid.shape)
    features = encode(x[valid])
    spread = torch.zeros(*valid.shape, features.shape[1], dtype=features.dtype, device=features.device)
    return spread.index_put((valid,), features)
