"""The smallest configurations of every family, and rows for them."""

from __future__ import annotations

from typing import Any

import numpy as np

_LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2}
_SMALL = {"hidden_size": 16, "intermediate_size": 32, **_LAYERS}
_VISION = {**_SMALL, "image_size": 16, "patch_size": 8}
_CAUSAL = {**_SMALL, "num_key_value_heads": 1, "vocab_size": 280, "head_dim": 8, "max_position_embeddings": 512,
           "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
_WAVE = {**_SMALL, "conv_dim": [16, 16], "conv_kernel": [10, 4], "conv_stride": [5, 4], "num_feat_extract_layers": 2,
         "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}  # fmt: skip
_WHISPER = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": 8,
            "max_source_positions": 50}  # fmt: skip
_CLAP = {"hidden_size": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2],
         "num_hidden_layers": 2, "spec_size": 32, "num_mel_bins": 8, "window_size": 2, "projection_dim": 8,
         "patch_size": 4, "patch_stride": [4, 4]}  # fmt: skip
_MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_PROMPTED = {**_CAUSAL, "vocab_size": 300}
_OMNI_AUDIO = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32,
               "output_dim": 16, "num_mel_bins": 8, "max_source_positions": 50, "n_window": 20}  # fmt: skip

CONFIGS: dict[str, dict[str, Any]] = {
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "vit": _VISION,
    "clip": {"vision_config": _VISION},
    "clip_vision_model": _VISION,
    "dinov2": {**{k: v for k, v in _VISION.items() if k != "intermediate_size"}, "mlp_ratio": 2},
    "siglip_vision_model": _VISION,
    "videomae": {**_VISION, "num_frames": 4},
    "audio-spectrogram-transformer": {**_SMALL, "patch_size": 8, "frequency_stride": 8, "time_stride": 8,
                                      "max_length": 32, "num_mel_bins": 16},
    "wav2vec2": _WAVE,
    "hubert": {**_WAVE, "feat_extract_norm": "layer", "do_stable_layer_norm": True},
    "whisper": _WHISPER,
    "clap_audio_model": _CLAP,
    "bert": {**_SMALL, "vocab_size": 280, "max_position_embeddings": 64},
    "distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2, "vocab_size": 280},
    "llama": _CAUSAL,
    "qwen2": {k: v for k, v in _CAUSAL.items() if k != "head_dim"},
    "qwen3": _CAUSAL,
    "gemma3_text": _CAUSAL,
    "qwen2_vl": {
        "text_config": {**_PROMPTED, "rope_parameters": _MROPE},
        "vision_config": {"depth": 1, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "mlp_ratio": 2,
                          "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2},
        "image_token_id": 290, "video_token_id": 291, "vision_start_token_id": 292, "vision_end_token_id": 293,
    },
    "qwen2_audio": {
        "audio_config": {**{k: v for k, v in _WHISPER.items() if not k.startswith("decoder")},
                         "model_type": "qwen2_audio_encoder"},
        "text_config": {**_PROMPTED, "model_type": "qwen2"},
        "audio_token_id": 290,
    },
    "qwen2_5_omni_thinker": {
        "audio_config": _OMNI_AUDIO,
        "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "patch_size": 4,
                          "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 16, "window_size": 16,
                          "fullatt_block_indexes": [0]},
        "text_config": {**_PROMPTED, "rope_parameters": _MROPE},
        "image_token_id": 290, "video_token_id": 291, "audio_token_id": 294, "vision_start_token_id": 292,
        "vision_end_token_id": 293, "audio_start_token_id": 295, "audio_end_token_id": 296,
    },
    "llava": {
        "vision_config": {**_VISION, "model_type": "clip_vision_model"},
        "text_config": {**_PROMPTED, "model_type": "llama"},
        "image_token_id": 290, "vision_feature_layer": -1,
    },
}  # fmt: skip
"""By model type."""

READS = {
    "image": ["resnet", "vit", "clip", "clip_vision_model", "dinov2", "siglip_vision_model", "qwen2_vl",
              "qwen2_5_omni_thinker", "llava"],
    "video": ["videomae", "vit", "qwen2_vl"],
    "vector": ["audio-spectrogram-transformer", "wav2vec2", "hubert", "whisper", "clap_audio_model", "qwen2_audio",
               "qwen2_5_omni_thinker"],
    "text": ["bert", "distilbert", "llama", "qwen2", "qwen3", "gemma3_text"],
}  # fmt: skip
"""By kind of a column, the families that read it."""

EVERY = [(kind, model_type) for kind, types in READS.items() for model_type in types]


def config(model_type: str) -> dict[str, Any]:
    return {"model_type": model_type, **CONFIGS[model_type]}


def options(kind: str, model_type: str, **more: Any) -> dict[str, Any]:
    """Return the arguments of an encoder with new weights."""
    pixels = "uint8" if kind in ("image", "video") else None
    rate = 8000 if kind == "vector" else None
    return {"kind": kind, "pixels": pixels, "width": 6, "config": config(model_type), "sampling_rate": rate,
            "frames": 2, "tokens": 40, "prompt": "Say.", **more}  # fmt: skip


def rows(kind: str, count: int = 3, seed: int = 0) -> list[Any]:
    """Return rows of a kind that differ, in length too where they can."""
    rng = np.random.default_rng(seed)
    if kind == "text":
        return ["a dog", "", "the cat that sat on the mat", "é!", "one two three"][:count]
    if kind == "vector":
        return [rng.normal(size=int(steps)).astype(np.float32) for steps in (900, 1600, 1203, 2000, 1600)[:count]]
    shape = (18, 20, 3) if kind == "image" else (5, 18, 20, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
