"""Whisper's weights from CTranslate2: a tiny model written in that form, and read back under transformers' names."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

TOOLS = Path(__file__).parents[1] / "tools"
transformers = pytest.importorskip("transformers", reason="needs the extra 'encoders'")

KINDS = {"float16": 4, "int16": 2, "int8": 1}


def written(variables: dict[str, np.ndarray]) -> bytes:
    """Return a model.bin of version 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, value in sorted(variables.items()):
        out += text(name) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        out += struct.pack("<BI", KINDS[str(value.dtype)], value.nbytes) + value.tobytes()
    return out + struct.pack("<I", 0)


def variables_of(model: Any) -> dict[str, np.ndarray]:
    """Return what CTranslate2 stores of a model: projections of one input side by side, and keys without a bias."""
    state = {name: value.half().numpy() for name, value in model.model.state_dict().items()}
    found: dict[str, np.ndarray] = {}

    def attention(old: str, new: str, joint: dict[str, str]) -> None:
        for place, letters in joint.items():
            each = [f"{old}.{letter}_proj" for letter in letters]
            weights = [state[f"{name}.weight"] for name in each]
            biases = [state.get(f"{name}.bias", np.zeros(16, np.float16)) for name in each]
            found[f"{new}/{place}/weight"], found[f"{new}/{place}/bias"] = np.vstack(weights), np.concatenate(biases)
        last = f"{new}/linear_{len(joint)}"
        found[f"{last}/weight"], found[f"{last}/bias"] = state[f"{old}.out_proj.weight"], state[f"{old}.out_proj.bias"]

    def plain(old: str, new: str, weight: str = "weight", bias: str = "bias") -> None:
        found[f"{new}/{weight}"] = state[f"{old}.weight"]
        if f"{old}.bias" in state:
            found[f"{new}/{bias}"] = state[f"{old}.bias"]

    for side in ("encoder", "decoder"):
        for number in range(2):
            old, new = f"{side}.layers.{number}", f"{side}/layer_{number}"
            attention(f"{old}.self_attn", f"{new}/self_attention", {"linear_0": "qkv"})
            plain(f"{old}.self_attn_layer_norm", f"{new}/self_attention/layer_norm", "gamma", "beta")
            if side == "decoder":
                attention(f"{old}.encoder_attn", f"{new}/attention", {"linear_0": "q", "linear_1": "kv"})
                plain(f"{old}.encoder_attn_layer_norm", f"{new}/attention/layer_norm", "gamma", "beta")
            plain(f"{old}.fc1", f"{new}/ffn/linear_0")
            plain(f"{old}.fc2", f"{new}/ffn/linear_1")
            plain(f"{old}.final_layer_norm", f"{new}/ffn/layer_norm", "gamma", "beta")
        plain(f"{side}.layer_norm", f"{side}/layer_norm", "gamma", "beta")
        plain(f"{side}.embed_positions", f"{side}/position_encodings", "encodings")
        found[f"{side}/num_heads"] = np.array(2, np.int16)
    plain("encoder.conv1", "encoder/conv1")
    plain("encoder.conv2", "encoder/conv2")
    plain("decoder.embed_tokens", "decoder/embeddings")
    found["decoder/pre_norm"] = np.array(1, np.int8)
    return found


@pytest.mark.skipif(not TOOLS.is_dir(), reason="the source distribution comes without tools/")
def test_a_model_comes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    from whisper_weights import write_whisper  # pyright: ignore[reportMissingImports]

    sizes: dict[str, Any] = {"d_model": 16, "vocab_size": 50400, "num_mel_bins": 8}
    sizes |= {"max_source_positions": 50, "max_target_positions": 20}
    sizes |= {f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in
              {"layers": 2, "attention_heads": 2, "ffn_dim": 64}.items()}  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**sizes)).half()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    write_whisper(written(variables_of(model)), b"{}", tmp_path / "whisper")
    again = transformers.WhisperModel.from_pretrained(tmp_path / "whisper", dtype=torch.float16)
    there = model.model.state_dict()
    assert all(torch.equal(value, there[name]) for name, value in again.state_dict().items())
    assert again.config.encoder_attention_heads == 2

    broken = variables_of(model)
    del broken["encoder/conv2/bias"]
    with pytest.raises(SystemExit, match=r"does not fit Whisper in transformers: model\.encoder\.conv2\.bias\."):
        write_whisper(written(broken), b"{}", tmp_path / "other")
