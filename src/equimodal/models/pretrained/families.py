"""Which models are known, by the `model_type` of their configuration: what they read, and which class reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equimodal.errors import ConfigError, did_you_mean

Sense = Literal["text", "image", "video", "audio"]
"""What a model reads."""

Form = Literal["pixels", "clip", "features", "wave", "ids", "causal", "multimodal"]
"""How a model takes it: pictures one by one, a whole clip, a spectrogram, a waveform, tokens, tokens of a decoder,
or another modality between the tokens of a prompt."""


@dataclass(frozen=True)
class Architecture:
    """A kind of model.

    Args:
        form: how it takes its inputs.
        senses: what it reads.
        cls: its class in transformers.
        part: the section of a larger model's configuration that describes it.
        keep: the submodule that is kept of the class, the others are dropped.
        pooling: what is done with its tokens by default.
        class_token: whether the first token stands for the whole.
        trunk: the submodule that holds the layers, for `mode: last`.
    """

    form: Form
    senses: tuple[Sense, ...]
    cls: str
    part: str | None = None
    keep: str | None = None
    pooling: str = "mean"
    class_token: bool = False
    trunk: str | None = None


def _image(cls: str, *, class_token: bool = False, part: str | None = None) -> Architecture:
    return Architecture("pixels", ("image", "video"), cls, part, class_token=class_token)


def _text(cls: str) -> Architecture:
    return Architecture("ids", ("text",), cls, class_token=True)


def _decoder(cls: str) -> Architecture:
    return Architecture("causal", ("text",), cls, pooling="last")


def _multimodal(cls: str, *senses: Sense, keep: str | None = None, part: str | None = None) -> Architecture:
    return Architecture("multimodal", senses, cls, part, keep, pooling="last", trunk="language_model")


ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet": _image("ResNetModel"),
    "vit": _image("ViTModel", class_token=True),
    "deit": _image("DeiTModel", class_token=True),
    "dinov2": _image("Dinov2Model", class_token=True),
    "clip": _image("CLIPVisionModel", class_token=True, part="vision_config"),
    "clip_vision_model": _image("CLIPVisionModel", class_token=True),
    "siglip": _image("SiglipVisionModel", part="vision_config"),
    "siglip_vision_model": _image("SiglipVisionModel"),
    "videomae": Architecture("clip", ("video",), "VideoMAEModel"),
    "audio-spectrogram-transformer": Architecture("features", ("audio",), "ASTModel", class_token=True),
    "whisper": Architecture("features", ("audio",), "WhisperModel", keep="encoder"),
    "clap": Architecture("features", ("audio",), "ClapAudioModel", part="audio_config"),
    "clap_audio_model": Architecture("features", ("audio",), "ClapAudioModel"),
    "wav2vec2": Architecture("wave", ("audio",), "Wav2Vec2Model"),
    "hubert": Architecture("wave", ("audio",), "HubertModel"),
    "wavlm": Architecture("wave", ("audio",), "WavLMModel"),
    "bert": _text("BertModel"),
    "roberta": _text("RobertaModel"),
    "xlm-roberta": _text("XLMRobertaModel"),
    "distilbert": _text("DistilBertModel"),
    "mpnet": _text("MPNetModel"),
    "electra": _text("ElectraModel"),
    "modernbert": _text("ModernBertModel"),
    "llama": _decoder("LlamaModel"),
    "mistral": _decoder("MistralModel"),
    "qwen2": _decoder("Qwen2Model"),
    "qwen3": _decoder("Qwen3Model"),
    "gemma3_text": _decoder("Gemma3TextModel"),
    "qwen2_vl": _multimodal("Qwen2VLModel", "image", "video"),
    "qwen2_audio": _multimodal("Qwen2AudioModel", "audio"),
    "qwen2_5_omni": _multimodal(
        "Qwen2_5OmniThinkerForConditionalGeneration", "image", "video", "audio", keep="model", part="thinker_config"
    ),
    "qwen2_5_omni_thinker": _multimodal(
        "Qwen2_5OmniThinkerForConditionalGeneration", "image", "video", "audio", keep="model"
    ),
    "llava": _multimodal("LlavaModel", "image", "video"),
}

SENSES: Mapping[str, Sense] = {
    "text": "text",
    "image": "image",
    "video": "video",
    "vector": "audio",  # a waveform has one axis
    "sequence": "audio",
    "tensor": "audio",
}
"""By kind of a column, what a model is given of it."""


def architecture_of(model_type: str | None) -> Architecture:
    """Return what is known of a model.

    Raises:
        ConfigError: nothing is.

    Example:
        >>> architecture_of("vit").senses
        ('image', 'video')
    """
    if model_type is None or model_type not in ARCHITECTURES:
        raise ConfigError(
            f"no model type '{model_type}' is served by the encoder 'transformers'."
            f"{did_you_mean(str(model_type), ARCHITECTURES)} Wrap another in a module of your own."
        )
    return ARCHITECTURES[model_type]


def sense_problem(kind: str, model_type: str) -> str | None:
    """Return a message if a model does not read columns of a kind.

    Example:
        >>> sense_problem("text", "vit").split(". ")[0]
        "the model type 'vit' reads image, video, but the data are of kind text"
        >>> sense_problem("text", "bert") is None
        True
    """
    architecture, sense = architecture_of(model_type), SENSES[kind]
    if sense in architecture.senses:
        return None
    served = [name for name, known in ARCHITECTURES.items() if sense in known.senses]
    what = kind if kind == sense else f"{kind}, which is read as {sense}"
    return (
        f"the model type '{model_type}' reads {', '.join(architecture.senses)}, but the data are of kind {what}. "
        f"Models for {sense} are: {', '.join(served)}."
    )


def width_of(config: Any) -> int:
    """Return the size of the vectors that a model returns."""
    text = config.get_text_config()
    for where in (text, config):
        if isinstance(sizes := getattr(where, "hidden_sizes", None), (list, tuple)):
            return int(sizes[-1])
        if isinstance(size := getattr(where, "hidden_size", None), int):
            return size
    return int(config.d_model)
