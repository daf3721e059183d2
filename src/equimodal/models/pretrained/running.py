"""One vector a token from a model, whatever it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from equimodal.known import known
from equimodal.models.pretrained.families import Architecture

IDS, MASK, PIXELS, WAVE, FRAMES, FEATURES_MASK, GRID = (
    "input_ids", "attention_mask", "pixel_values", "input_values", "frames", "feature_attention_mask", "image_grid_thw",
)  # fmt: skip


def tokens_of(model: nn.Module, architecture: Architecture, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return tokens (B, T, D) and which of them are valid, bool (B, T); None: all.

    Args:
        model: the model.
        architecture: what is known of it.
        x: a batch of what the processor returns.
    """
    dtype = next(model.parameters()).dtype
    x = {name: value.to(dtype) if value.is_floating_point() else value for name, value in x.items()}
    return _RUN[architecture.form](model, x)


def _pixels(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    pixels = x[PIXELS]
    if pixels.ndim == 4:
        return _flat(model(pixel_values=pixels).last_hidden_state), None
    # A video: its frames one by one, then the mean over time, so that a row has as many tokens as a picture.
    frames = _flat(model(pixel_values=pixels.flatten(0, 1)).last_hidden_state)
    return frames.unflatten(0, pixels.shape[:2]).mean(1), None


def _clip(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    return model(pixel_values=x[PIXELS]).last_hidden_state, None


def _features(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    inputs = {name: value for name, value in x.items() if name != FRAMES}
    if "is_longer" in inputs:
        inputs["is_longer"] = inputs["is_longer"].bool()
    tokens = _flat(model(**inputs).last_hidden_state)
    if FRAMES not in x:
        return tokens, None
    return tokens, torch.arange(tokens.shape[1], device=tokens.device) < x[FRAMES].reshape(-1, 1)


def _wave(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    wave, mask = x[WAVE], x[MASK].long()
    lengths = mask.sum(1)
    if bool((lengths == wave.shape[1]).all()):
        tokens = model(wave).last_hidden_state
        return tokens, None
    if getattr(model.config, "feat_extract_norm", "group") == "group":
        return _by_length(model, wave, lengths)
    tokens = model(wave, attention_mask=mask).last_hidden_state
    steps = model._get_feat_extract_output_lengths(lengths)  # pyright: ignore[reportCallIssue]
    return tokens, torch.arange(tokens.shape[1], device=tokens.device) < steps[:, None]


def _by_length(model: nn.Module, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
    """Run rows of one length at a time: a norm over time would see the padding, and a row depend on its batch."""
    found: list[Tensor] = [wave] * len(wave)
    for length in lengths.unique().tolist():
        rows = (lengths == length).nonzero()[:, 0]
        for row, tokens in zip(rows.tolist(), model(wave[rows, :length]).last_hidden_state, strict=True):
            found[row] = tokens
    steps = known(torch.tensor([len(tokens) for tokens in found]), wave.device)
    padded = nn.utils.rnn.pad_sequence(found, batch_first=True)
    return padded, torch.arange(padded.shape[1], device=wave.device) < steps[:, None]


def _ids(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    mask = x[MASK].bool()
    return model(input_ids=x[IDS], attention_mask=mask.long()).last_hidden_state, mask


def _causal(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    mask = x[MASK].bool()
    # Counted from a row's first valid token, so that padding on the left changes nothing.
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    out = model(input_ids=x[IDS], attention_mask=mask.long(), position_ids=positions, use_cache=False)
    return out.last_hidden_state, mask


def _multimodal(model: nn.Module, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    inputs: dict[str, Any] = dict(x)
    mask = x[MASK].bool()
    inputs[MASK] = mask.long()
    if GRID in x:  # the patches of all pictures, one after another
        inputs[GRID] = x[GRID].flatten(0, 1)
        inputs[PIXELS] = x[PIXELS].flatten(0, 1)
        if type(model).__name__ == "Qwen2VLModel":
            inputs["mm_token_type_ids"] = (x[IDS] == model.config.image_token_id).int()  # pyright: ignore
    elif PIXELS in x and x[PIXELS].ndim == 5:
        inputs[PIXELS] = x[PIXELS].flatten(0, 1)
    if FEATURES_MASK in x:
        inputs[FEATURES_MASK] = x[FEATURES_MASK].long()
    out = model(**inputs, use_cache=False)
    if hasattr(model, "rope_deltas"):
        cast(Any, model).rope_deltas = None  # it is for generating text, and would keep the batch's size
    return out.last_hidden_state, mask


def _flat(states: Tensor) -> Tensor:
    """Return (B, T, D) of feature maps (B, D, H, W)."""
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states


_RUN = {
    "pixels": _pixels,
    "clip": _clip,
    "features": _features,
    "wave": _wave,
    "ids": _ids,
    "causal": _causal,
    "multimodal": _multimodal,
}
