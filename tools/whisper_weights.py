"""Whisper's weights from the form of CTranslate2, as transformers names them."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

VERSION = 6
TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""By their number in the file."""

LAYERS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
FUSED = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
}
WHOLE = {
    "layer_norm": "layer_norm",
    "conv1": "conv1",
    "conv2": "conv2",
    "position_encodings": "embed_positions",
    "embeddings": "embed_tokens",
}
ENDS = {"gamma": "weight", "beta": "bias", "encodings": "weight"}


def read_ctranslate2(content: bytes) -> dict[str, np.ndarray]:
    """Return the variables of a `model.bin` by name.

    The file is a header (version, name of the model, revision, count), and for each variable its name, shape, type and
    bytes; all numbers are little-endian.
    """
    at = 0

    def numbers(form: str) -> tuple[int, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{form}", content, at)
        at += struct.calcsize(f"<{form}")
        return found

    def text() -> str:
        nonlocal at
        (length,) = numbers("H")
        at += length
        return content[at - length : at].rstrip(b"\0").decode()

    (version,), name = numbers("I"), text()
    if version != VERSION or name != "WhisperSpec":
        sys.exit(f"model.bin: is {name!r} in version {version}, expected 'WhisperSpec' in version {VERSION}.")
    _revision, count = numbers("II")
    found = {}
    for _ in range(count):
        variable, (rank,) = text(), numbers("B")
        shape, (kind, size) = numbers("I" * rank), numbers("BI")
        found[variable] = np.frombuffer(content[at : at + size], TYPES[kind]).reshape(shape)
        at += size
    return found


def renamed(variables: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return encoder and decoder under the names of transformers; joint projections are taken apart."""
    found = {}
    for name, value in variables.items():
        side, _, rest = name.partition("/")
        place, _, end = rest.rpartition("/")
        end, tensor = ENDS.get(end, end), torch.from_numpy(value.copy())
        if place in WHOLE:
            found[f"model.{side}.{WHOLE[place]}.{end}"] = tensor
        elif place:  # the others are single numbers
            number, _, inner = place.removeprefix("layer_").partition("/")
            new = FUSED.get(inner) or (LAYERS[inner],)
            for one, piece in zip(new, tensor.chunk(len(new)), strict=True):
                if not (end == "bias" and one.endswith("k_proj")):  # a bias of keys changes nothing, and is 0
                    found[f"model.{side}.layers.{number}.{one}.{end}"] = piece.contiguous()
                elif piece.any():
                    sys.exit(f"model.bin: {name} has a bias of keys, which Whisper has not.")
    return found


def write_whisper(content: bytes, tokeniser: bytes, folder: Path) -> None:
    """Write config.json, model.safetensors (float16, as they come), the tokenizer, and what makes spectrograms."""
    variables = read_ctranslate2(content)
    tensors = renamed(variables)
    words, size = tensors["model.decoder.embed_tokens.weight"].shape
    heads = int(variables["encoder/num_heads"])
    layers = len({name.split("/")[1] for name in variables if name.startswith("encoder/layer_")} - {"layer_norm"})
    config = WhisperConfig(
        vocab_size=words,
        d_model=size,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * size,
        decoder_ffn_dim=4 * size,
        num_mel_bins=tensors["model.encoder.conv1.weight"].shape[1],
        max_source_positions=len(tensors["model.encoder.embed_positions.weight"]),
        max_target_positions=len(tensors["model.decoder.embed_positions.weight"]),
        architectures=["WhisperForConditionalGeneration"],
    )
    with torch.device("meta"):
        wanted = WhisperForConditionalGeneration(config).state_dict()
    different = {name for name in wanted if name != "proj_out.weight"} ^ set(tensors)
    different |= {name for name in tensors if name in wanted and tensors[name].shape != wanted[name].shape}
    if different:
        sys.exit(f"model.bin: does not fit Whisper in transformers: {', '.join(sorted(different)[:5])}.")
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "dtype": "float16"}, indent=2) + "\n")
    WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokeniser)
