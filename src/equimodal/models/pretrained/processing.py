"""Which processing a model's inputs need."""

from __future__ import annotations

from typing import Any

from equimodal.errors import ConfigError
from equimodal.extras import need
from equimodal.models.pretrained.families import Architecture, Sense
from equimodal.models.pretrained.pictures import Frames, Pictures, picture_processor
from equimodal.models.pretrained.processed import Process
from equimodal.models.pretrained.prompting import Prompted
from equimodal.models.pretrained.sound import Spectrograms, Wave, Waveforms, extractor_of, shortest_of
from equimodal.models.pretrained.source import Source
from equimodal.models.pretrained.text import Tokens, token_limit, tokeniser_of

_SHORTEST_PROMPTED = 640
"""Samples from which a multimodal model makes one vector at least."""


def process_for(
    source: Source,
    config: Any,
    architecture: Architecture,
    sense: Sense,
    *,
    prompt: str,
    sampling_rate: int | None,
    seconds: float,
    frames: int,
    tokens: int,
) -> Process:
    """Return what makes a model's inputs of rows.

    Args:
        source: where its processors are.
        config: of the part of the model that is used.
        architecture: what is known of it.
        sense: what a row is.
        prompt: for a multimodal model.
        sampling_rate: of sound, in Hz.
        seconds: of sound that are read at most.
        frames: of a video that are read.
        tokens: of a text that are read at most.

    Raises:
        ConfigError: the sampling rate is missing, or a processor cannot be loaded.
    """
    if sense == "text":
        text = config.get_text_config()
        positions = getattr(text, "max_position_embeddings", tokens)
        offset = 2 if config.model_type in ("roberta", "xlm-roberta", "mpnet") else 0  # their positions begin there
        tokeniser = tokeniser_of(source, config)
        return Tokens(tokeniser, token_limit(tokeniser, tokens, positions - offset), text.vocab_size)
    if sense == "audio":
        if sampling_rate is None:
            raise ConfigError("sampling_rate: is missing. Say how many samples a second the data have, in Hz.")
        extractor = extractor_of(source, config)
        shortest = _SHORTEST_PROMPTED if architecture.form == "multimodal" else shortest_of(config)
        wave = Wave(extractor, sampling_rate, seconds, shortest)
        if architecture.form == "wave":
            return Waveforms(wave)
        if architecture.form == "features":
            return Spectrograms(wave, config.model_type)
        return _prompted(source, config, sense, prompt, wave, frames)
    processor = picture_processor(source, config)
    if architecture.form == "multimodal":
        return _prompted(source, config, sense, prompt, processor, frames)
    if sense == "video":
        return Frames(processor, getattr(config, "num_frames", frames) if architecture.form == "clip" else frames)
    return Pictures(processor)


def _prompted(source: Source, config: Any, sense: Sense, prompt: str, processor: Any, frames: int) -> Prompted:
    tokeniser, template = tokeniser_of(source, config), None
    if source.place is not None:
        try:
            whole = need("transformers").AutoProcessor.from_pretrained(source.place, backend="pil", **source.reading)
            template = whole.apply_chat_template if getattr(whole, "chat_template", None) else None
        except Exception:  # noqa: BLE001 - its parts suffice; one that needs packages that are not here is not needed
            template = None
        template = template or (tokeniser.apply_chat_template if getattr(tokeniser, "chat_template", None) else None)
    return Prompted(tokeniser, config, sense, prompt, processor, frames, template)
