"""A modality between the tokens of a prompt, for multimodal language models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from equimodal.errors import ConfigError
from equimodal.models.pretrained.families import Sense
from equimodal.models.pretrained.pictures import pixels, plain, rgb, sampled
from equimodal.models.pretrained.processed import PROCESSOR, TEMPLATE, TOKENISER, Fields
from equimodal.models.pretrained.running import FEATURES_MASK, GRID, IDS, MASK, PIXELS
from equimodal.models.pretrained.sound import Wave, spectrum
from equimodal.models.pretrained.text import encode, tokeniser_identity

_LIMIT = 4096


class Prompted:
    """Makes inputs of a multimodal model: tokens of a prompt, with a place for each vector of the modality.

    Args:
        tokeniser: of the model.
        config: of the model.
        sense: what a row is.
        prompt: what is said after the modality.
        processor: of pictures, or the waveform at the model's rate.
        frames: how many frames of a video; each is a picture of its own.
        template: writes a conversation as the model was trained on it; None: the modality and the prompt alone.
    """

    ragged = frozenset({IDS, MASK})

    def __init__(
        self, tokeniser: Any, config: Any, sense: Sense, prompt: str, processor: Any, frames: int, template: Any = None
    ) -> None:
        self.tokeniser, self.config, self.sense, self.prompt = tokeniser, config, sense, prompt
        self.processor, self.frames = processor, frames
        self.placeholder = _number(config, "audio" if sense == "audio" else "image")
        self.before, self.after = self._template(template)

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return the model's inputs of each row."""
        fields: Fields = {}
        for row in rows:
            counts, inputs = self._sound(row) if self.sense == "audio" else self._pictures(row)
            for name, value in {**self._tokens(counts), **inputs}.items():
                fields.setdefault(name, []).append(value)
        return fields

    def _tokens(self, counts: list[int]) -> dict[str, np.ndarray]:
        middle: list[int] = []
        start, end = self._marks()
        for count in counts:
            middle += [*start, *[self.placeholder] * count, *end]
        # The template has the marks of one picture about its placeholder; here every picture has its own.
        ids = np.array([*self.before, *middle, *self.after], np.int64)
        return {IDS: ids, MASK: np.ones(len(ids), np.int64)}

    def _marks(self) -> tuple[list[int], list[int]]:
        kind = "audio" if self.sense == "audio" else "vision"
        found = [_optional(self.config, f"{kind}_{end}") for end in ("start", "end")]
        return ([] if found[0] is None else [found[0]]), ([] if found[1] is None else [found[1]])

    def _template(self, template: Any) -> tuple[list[int], list[int]]:
        """Return the tokens before and after the modality."""
        if template is None:
            return [], encode(self.tokeniser, self.prompt, _LIMIT, special=False).tolist()
        content = [{"type": "audio" if self.sense == "audio" else "image"}, {"type": "text", "text": self.prompt}]
        written = template([{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True)
        ids = encode(self.tokeniser, written, _LIMIT, special=False).tolist()
        if self.placeholder not in ids:
            raise ConfigError(f"the chat template of the model leaves no place for {self.sense}: {written!r}.")
        place = ids.index(self.placeholder)
        before, after = ids[:place], ids[place + 1 :]
        start, end = self._marks()
        before = before[: -len(start)] if start and before[-1:] == start else before
        after = after[len(end) :] if end and after[:1] == end else after
        return before, after

    def _pictures(self, row: np.ndarray) -> tuple[list[int], dict[str, np.ndarray]]:
        pictures = list(sampled(row, self.frames)) if self.sense == "video" else [row]
        vision = self.config.vision_config
        if hasattr(vision, "spatial_merge_size"):
            found = self.processor(
                images=[rgb(one) for one in pictures], input_data_format="channels_last", return_tensors="np"
            )
            grid = np.asarray(found[GRID], np.int64)
            counts = (grid.prod(1) // vision.spatial_merge_size**2).tolist()
            return counts, {PIXELS: np.asarray(found[PIXELS], np.float32), GRID: grid}
        values = np.stack(pixels(self.processor, pictures))
        patches = (values.shape[-2] // vision.patch_size) * (values.shape[-1] // vision.patch_size)
        has_class = vision.model_type == "clip_vision_model" and self.config.vision_feature_select_strategy == "full"
        return [patches + has_class] * len(pictures), {PIXELS: values}

    def _sound(self, row: Any) -> tuple[list[int], dict[str, np.ndarray]]:
        wave: Wave = self.processor
        features, valid = spectrum(wave.extractor, wave(row))
        frames = int(valid.sum())
        return [max(0, ((frames - 1) // 2 + 1 - 2) // 2 + 1)], {"input_features": features, FEATURES_MASK: valid}

    def identity(self) -> dict[str, Any]:
        """Return tokeniser, prompt, template, and the processor's settings."""
        inner = self.processor.identity() if isinstance(self.processor, Wave) else {PROCESSOR: plain(self.processor)}
        return {
            TOKENISER: tokeniser_identity(self.tokeniser),
            TEMPLATE: [self.before, self.after],
            "prompt": self.prompt,
            "frames": self.frames,
            **inner,
        }


def _optional(config: Any, name: str) -> int | None:
    for key in (f"{name}_token_id", f"{name}_token_index"):
        value = getattr(config, key, None)
        if isinstance(value, int):
            return value
    return None


def _number(config: Any, name: str) -> int:
    found = _optional(config, name)
    if found is None:
        raise ConfigError(f"config: {config.model_type} names no token that stands for {name} ({name}_token_id).")
    return found
