"""Pictures and videos as the pixels of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equimodal.errors import ConfigError, DataError
from equimodal.extras import need
from equimodal.models.pretrained.processed import PROCESSOR, Fields
from equimodal.models.pretrained.running import PIXELS
from equimodal.models.pretrained.source import Source, reason_of

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


class Pictures:
    """Makes pixels of pictures: (3, H, W) of each.

    Args:
        processor: of the model.
    """

    ragged = frozenset[str]()

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return `pixel_values` of each picture (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""
        return {PIXELS: [pixels(self.processor, [row])[0] for row in rows]}

    def identity(self) -> dict[str, Any]:
        """Return the processor's settings."""
        return {PROCESSOR: plain(self.processor)}


class Frames:
    """Makes pixels of videos: (frames, 3, H, W) of each, from frames at equal distances.

    Args:
        processor: of the model.
        count: how many frames of a video.
    """

    ragged = frozenset[str]()

    def __init__(self, processor: Any, count: int) -> None:
        self.processor, self.count = processor, count

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return `pixel_values` of each video (T, H, W, channels)."""
        return {PIXELS: [np.stack(pixels(self.processor, list(sampled(row, self.count)))) for row in rows]}

    def identity(self) -> dict[str, Any]:
        """Return the processor's settings, and how many frames."""
        return {PROCESSOR: plain(self.processor), "frames": self.count}


def sampled(video: np.ndarray, count: int) -> np.ndarray:
    """Return frames at equal distances; a video with fewer frames has some of them twice.

    Example:
        >>> sampled(np.arange(5), 3).tolist(), sampled(np.arange(2), 3).tolist()
        ([0, 2, 4], [0, 0, 1])
    """
    if len(video) == 0:
        raise DataError("a video has no frames. Leave it out: present=False.")
    return video[np.linspace(0, len(video) - 1, count).astype(int)]


def pixels(processor: Any, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the processor's pixels of pictures, float32 (3, H, W) each."""
    found = processor(images=[rgb(one) for one in pictures], input_data_format="channels_last", return_tensors="np")
    values = np.asarray(found[PIXELS], np.float32)
    return list(values[0] if values.ndim == 5 else values)  # a processor of videos has an axis more


def rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3).

    Grey is repeated, an alpha channel is dropped. Floats are on the scale from 0 to 1.

    Raises:
        DataError: the values are on another scale, or there are other channels.

    Example:
        >>> rgb(np.array([[0.0, 1.0]]))[0].tolist()
        [[0, 0, 0], [255, 255, 255]]
    """
    values = np.asarray(picture)
    top = 1 if values.dtype.kind in "fb" else 255
    if values.dtype != np.uint8:
        if values.size and (values.min() < 0 or values.max() > top):
            raise DataError(
                f"pictures of {values.dtype} should be from 0 to {top} for a pretrained encoder, got {values.min()} to "
                f"{values.max()}. Scale them, or store them as uint8."
            )
        values = (values * (255 / top)).round().astype(np.uint8)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] not in (1, 3, 4):
        raise DataError(
            "pictures for a pretrained encoder should have 1, 3 or 4 channels (grey, colour, colour and alpha), got "
            f"{values.shape[2]}. Choose three of them."
        )
    return values.repeat(3, axis=2) if values.shape[2] == 1 else values[..., :3]


def picture_processor(source: Source, config: Any) -> Any:
    """Return the processor of a source; for a new model, one with the usual settings of its family.

    Raises:
        ConfigError: it cannot be loaded, or the model takes other than three channels.
    """
    transformers = need("transformers")
    need("PIL")
    if source.place is None:
        return _default(transformers, config)
    try:
        return transformers.AutoImageProcessor.from_pretrained(source.place, backend="pil", **source.reading)
    except Exception as error:  # its readers raise errors of any class
        raise ConfigError(no_processor(source, "pictures", error)) from error


def no_processor(source: Source, what: str, error: Exception) -> str:
    """Return the message for a model whose processor cannot be loaded."""
    reason = reason_of(error)
    if source.lacks("preprocessor_config.json", "processor_config.json"):
        reason = "there is no such file"
    return (
        f"model: {source.name}: has no processor of {what} that can be loaded ({reason}). Put its "
        "preprocessor_config.json beside config.json: processor.save_pretrained(folder)."
    )


def _default(transformers: Any, config: Any) -> Any:
    vision = getattr(config, "vision_config", config)
    channels = getattr(vision, "num_channels", getattr(vision, "in_channels", 3))
    if channels != 3:
        raise ConfigError(f"config.num_channels: expected 3, since pictures are read in colour, got {channels}.")
    if hasattr(vision, "spatial_merge_size"):
        # As many patches at most as for 224 pixels a side.
        return transformers.Qwen2VLImageProcessorPil(
            patch_size=vision.patch_size,
            temporal_patch_size=vision.temporal_patch_size,
            merge_size=vision.spatial_merge_size,
            min_pixels=(vision.patch_size * vision.spatial_merge_size) ** 2,
            max_pixels=224 * 224,
        )
    size = getattr(vision, "image_size", 224)
    height, width = (size, size) if isinstance(size, int) else size
    normal = _IMAGENET if vision.model_type in ("resnet", "dinov2") else {}
    return transformers.ViTImageProcessorPil(size={"height": height, "width": width}, **normal)


def plain(processor: Any) -> dict[str, Any]:
    """Return a processor's settings as JSON-safe values."""
    import json

    return {
        "class": type(processor).__name__,
        **json.loads(json.dumps(processor.to_dict(), default=str, sort_keys=True)),
    }
