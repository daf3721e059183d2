"""Where weights come from, what is refused, and what a cache and a run know of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from equimodal.errors import ConfigError, DataError, RunError
from equimodal.models.encoders.base import build_encoder
from equimodal.models.encoders.pretrained import Transformers
from equimodal.models.pretrained import memory
from equimodal.models.pretrained.gguf import converted
from equimodal.models.pretrained.loading import checksum_of_config
from equimodal.models.pretrained.text import Tokens
from models.pretrained.tiny import config, options, rows


def make(kind: str = "image", model_type: str = "vit", **more: Any) -> Transformers:
    return Transformers(**options(kind, model_type, **more))


def message(**given: Any) -> str:
    """Return what is said of an encoder that cannot be made."""
    with pytest.raises(ConfigError) as caught:
        build_encoder("transformers", "a", given)
    assert "model.encoders.a: " in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stored ViT with its processor, as `save_pretrained` writes it."""
    torch.manual_seed(3)
    settings = {key: value for key, value in config("vit").items() if key != "model_type"}
    transformers.ViTModel(transformers.ViTConfig(**settings), add_pooling_layer=False).save_pretrained(tmp_path / "vit")
    transformers.ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


def local(folder: Path, **more: Any) -> dict[str, Any]:
    return {**options("image", "vit", **more), "config": None, "model": str(folder)}


def test_a_folder_gives_its_weights_and_its_processor(folder):
    """Compared with the library itself."""
    encoder = Transformers(**local(folder, pooling="cls"))
    picture = rows("image", 1)[0]
    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    with torch.no_grad():
        expected = model(**processor(picture, return_tensors="pt")).last_hidden_state[0, 0]
    assert torch.allclose(encoder.features_of_rows([picture])[0], expected, atol=1e-5)
    assert encoder.names_base
    assert not make().names_base


def test_weights_are_named_by_source_and_checksum(folder):
    one, again = Transformers(**local(folder)), Transformers(**local(folder))
    assert one.base_identity() == again.base_identity()
    json.dumps(one.base_identity())
    assert one.base_identity()["place"] == str(folder)
    assert Transformers(**local(folder, pooling="cls")).base_identity() != one.base_identity()
    with torch.no_grad():
        next(again.base.parameters()).add_(1)
    assert one.base_identity()["weights"] != again.base_identity()["weights"]


@pytest.mark.parametrize(
    ("kind", "model_type", "change"),
    [("image", "vit", {"num_attention_heads": 4}), ("text", "bert", {"hidden_act": "relu"})],
)
def test_the_same_weights_read_in_another_way_are_another_encoder(kind, model_type, change):
    """A cache that took them for one would give the features of the other."""
    found = []
    for changes in ({}, {}, change):
        torch.manual_seed(0)
        given = options(kind, model_type)
        found.append(Transformers(**{**given, "config": {**given["config"], **changes}}))
    one, again, other = (encoder.base_identity() for encoder in found)
    assert one == again and one["weights"] == other["weights"] and one != other
    encoded = [encoder.features_of_rows(rows(kind, 1))[0] for encoder in found]
    assert torch.equal(encoded[0], encoded[1]) and not torch.allclose(encoded[0], encoded[2])


def test_a_folder_that_was_loaded_with_weights_is_still_the_same_encoder(folder):
    """Loading writes into the configuration: precision, origin."""
    encoder = Transformers(**local(folder))
    later = transformers.AutoConfig.from_pretrained(folder)
    (copy := folder.parent / "copy").mkdir()
    later.save_pretrained(copy)
    assert checksum_of_config(transformers.AutoConfig.from_pretrained(copy)) == encoder.files()["config.json"]


def test_damaged_files_are_named_and_not_looked_for_on_the_hub(folder):
    weights, settings = folder / "model.safetensors", folder / "config.json"
    content = weights.read_bytes()
    for damaged in (content[: len(content) // 2], b""):
        weights.write_bytes(damaged)
        said = message(**local(folder))
        assert f"model: {folder}: its weights cannot be read (SafetensorError" in said and "hub" not in said
    weights.write_bytes(content)
    known = json.loads(settings.read_text())
    settings.write_text(json.dumps({**known, "hidden_size": 32}))
    assert "its weights cannot be read" in message(**local(folder))
    for wrong in ("{", json.dumps({**known, "hidden_size": "many"})):
        settings.write_text(wrong)
        assert f"model: {settings}: cannot be read" in message(**local(folder))


def test_a_new_model_follows_from_the_seed():
    torch.manual_seed(5)
    one = make()
    torch.manual_seed(5)
    assert torch.equal(next(make().base.parameters()), next(one.base.parameters()))


def test_pickles_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pytorch_model.bin is a pickle, which is never loaded" in message(**local(folder))


def test_a_folder_without_weights_or_configuration_is_named(folder):
    (folder / "model.safetensors").unlink()
    assert "there is no .safetensors file in this folder" in message(**local(folder))
    (folder / "config.json").unlink()
    assert "there is no config.json in this folder" in message(**local(folder))
    assert "no such folder" in message(**local(folder / "nowhere"))


def test_incomplete_weights_are_refused(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors = {name: tensor for name, tensor in tensors.items() if "patch_embeddings" not in name}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "its weights lack" in message(**local(folder))


def test_a_folder_without_a_processor_is_named(folder):
    (folder / "preprocessor_config.json").unlink()
    assert "has no processor of pictures that can be loaded" in message(**local(folder))


def test_a_model_without_a_tokeniser_is_named(tmp_path):
    settings = {key: value for key, value in config("bert").items() if key != "model_type"}
    transformers.BertModel(transformers.BertConfig(**settings)).save_pretrained(tmp_path)
    given = {**options("text", "bert"), "config": None, "model": str(tmp_path)}
    assert "has no tokeniser that can be loaded" in message(**given)


def test_without_network_the_message_says_what_to_get_and_where_to_put_it(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    said = message(kind="image", model="nobody/nothing", revision="abc")
    assert "'nobody/nothing' at revision abc is no folder here" in said
    assert "hf download nobody/nothing --local-dir FOLDER" in said


@pytest.mark.parametrize("offline", [True, False])
def test_a_wait_for_the_hub_is_announced(monkeypatch, caplog, offline):
    """Where there is no network the hub's client tries for half a minute: the user is told before."""
    import huggingface_hub.constants

    def unreachable(*_, **__):
        raise OSError(f"no network, after {[record.message for record in caplog.records]}")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    told = "'nobody/nothing' is not in this machine's cache: asking the hub, which can take half a minute."
    assert (told in message(kind="image", model="nobody/nothing")) is not offline


def test_a_revision_belongs_to_the_hub(folder):
    assert "known by its checksum" in message(**local(folder, revision="main"))
    assert "a config has none" in message(**options("image", "vit", revision="main"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": None}, "expected either model"),
        ({"config": {"hidden_size": 8}}, "config.model_type: unknown 'None'"),
        ({"config": {"model_type": "vitt"}}, "Did you mean 'vit'?"),
        (
            {"config": {"model_type": "vit", "hiden_size": 8}},
            "config.hiden_size: vit has no such setting. Did you mean",
        ),
        ({"config": {**config("vit"), "num_channels": 5}}, "config.num_channels: expected 3"),
        ({"config": {**config("vit"), "hidden_size": "wide"}}, "config: vit cannot be made"),
        ({"config": {**config("vit"), "patch_size": 32}}, "new vit cannot encode a row"),
        ({"config": {**config("vit"), "patch_size": 0}}, "config.patch_size: expected a whole number of at least 1"),
        ({"config": {**config("vit"), "hidden_size": -8}}, "config.hidden_size: expected a whole number of at least 1"),
        ({"config": {**config("vit"), "num_attention_heads": 0}}, "(usual: 12), got 0."),
        ({"config": {**config("vit"), "num_hidden_layers": -1}}, "config.num_hidden_layers: expected a whole number"),
        ({"config": {**config("vit"), "image_size": [0, 0]}}, "cannot"),
        ({"mode": "frosen"}, "mode: unknown 'frosen'. Did you mean 'frozen'?"),
        ({"pooling": "max"}, "pooling: unknown 'max'."),
        ({"dtype": "float16"}, "dtype: unknown 'float16'. Did you mean 'bfloat16'?"),
        ({"mode": "last", "layers": 7}, "layers: expected 1 to 1"),
        ({"rank": 0}, "rank: expected a number above 0, got 0."),
        ({"kind": "text"}, "the model type 'vit' reads image, video, but the data are of kind text."),
        ({"kind": "vector"}, "kind vector, which is read as audio"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    assert said in message(**{**options("image", "vit"), **change})


def test_mistakes_in_words_are_reported_together():
    said = message(**options("image", "vit", mode="x", dtype="y", frames=0))
    assert said.startswith("3 problems")


def test_more_of_what_is_wrong():
    assert "sampling_rate: is missing" in message(**options("vector", "wav2vec2", sampling_rate=None))
    assert "resnet has no first token" in message(**options("image", "resnet", pooling="cls"))
    small = {**config("bert"), "vocab_size": 100}
    assert "config.vocab_size: expected at least 257" in message(**{**options("text", "bert"), "config": small})
    with pytest.raises(DataError, match="should be waveforms"):
        make("vector", "wav2vec2").features_of_rows([np.zeros((50, 13), np.float32)])
    with pytest.raises(DataError, match="should be from 0 to 1 for a pretrained encoder"):
        make().features_of_rows([np.array([[0.0, 255.0]] * 4)])
    for channels in (2, 5):
        with pytest.raises(DataError, match=f"1, 3 or 4 channels .* got {channels}"):
            make().features_of_rows([np.zeros((8, 8, channels), np.uint8)])


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'equimodal[encoders]'" in message(**options("image", "vit"))


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(monkeypatch, folder):
    monkeypatch.setattr(memory, "available", lambda: 5000)
    monkeypatch.setattr(transformers.ViTModel, "from_pretrained", None)  # not reached
    said = message(**local(folder, mode="full"))
    assert "with mode 'full' needs about" in said
    assert "Take mode: lora or frozen" in said


@pytest.mark.parametrize("mode", ["frozen", "lora", "last", "full"])
def test_the_estimate_counts_what_the_model_has(mode):
    """Against the parameters of the model itself: 4 bytes each, and 12 more for those that train."""
    seen: list[memory.Estimate] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equimodal.models.encoders.pretrained.check_memory", lambda needed, *_: seen.append(needed))
        encoder = make(mode=mode)
    every = sum(p.numel() for p in encoder.base.parameters())
    trained = sum(p.numel() for p in encoder.base.parameters() if p.requires_grad)
    assert seen[0].total == 4 * every + 12 * trained


def test_sound_is_resampled_to_the_rate_of_the_model():
    """A tone at 8 kHz has as many samples a second as the model wants, and the same frequency."""
    encoder = make("vector", "wav2vec2")
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype(np.float32)
    wave = encoder.process([tone])["input_values"][0]
    assert len(wave) == 16000
    assert np.abs(np.fft.rfft(wave)).argmax() == 440


def test_cached_files_of_a_container_are_not_memory_that_is_taken(tmp_path):
    for name, content in {"max": "1000\n", "current": "700\n", "stat": "anon 90\ninactive_file 500\nfile 9\n"}.items():
        (tmp_path / f"memory.{name}").write_text(content)
    assert memory._left_to_a_container(tmp_path) == [1000 - 700 + 500]
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_to_a_container(tmp_path) == []


@pytest.mark.parametrize("name", ["model.gguf", "weights.gguf"])
def test_a_gguf_file_is_converted_once(tmp_path, monkeypatch, name):
    monkeypatch.setenv("EQUIMODAL_MODELS", str(tmp_path / "converted"))
    (tmp_path / name).write_bytes(b"none")
    given = {**options("text", "llama"), "config": None, "model": str(tmp_path / name)}
    assert "is no GGUF file" in message(**given)
    expected = write_gguf(tmp_path / name)
    encoder = Transformers(**given)
    assert torch.allclose(encoder.base.embed_tokens.weight, expected, atol=1e-6)  # pyright: ignore
    made = [path for path in (tmp_path / "converted").iterdir() if path.is_dir()]
    assert len(made) == 1
    before = (made[0] / "model.safetensors").stat().st_mtime_ns
    assert torch.equal(Transformers(**given).features_of_rows(["a b"])[0], encoder.features_of_rows(["a b"])[0])
    assert (made[0] / "model.safetensors").stat().st_mtime_ns == before


def test_a_conversion_that_was_killed_is_made_again_and_a_full_disk_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIMODAL_MODELS", str(tmp_path / "converted"))
    write_gguf(tmp_path / "model.gguf")
    name = hashlib.sha256((tmp_path / "model.gguf").read_bytes()).hexdigest()
    (half := tmp_path / "converted" / f".converting-{name}").mkdir(parents=True)
    (half / "model.safetensors").write_text("half")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full_disk)
        with pytest.raises(RunError, match=r"converted: the converted model cannot be written there \(No space left"):
            converted(tmp_path / "model.gguf")
    assert not half.exists()
    assert "half" not in (converted(tmp_path / "model.gguf") / "config.json").read_text()
    assert sorted(path.suffix for path in (tmp_path / "converted").iterdir()) == ["", ".lock"]


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_gguf(path: Path) -> torch.Tensor:
    """Write a tiny Llama as GGUF; return its embeddings."""
    gguf = pytest.importorskip("gguf", reason="needs the extra 'encoders'")
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(16)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(["<s>", "</s>", "a", "b", "Ġ", "ab"])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    shapes = {"token_embd": (6, 16), "output_norm": (16,), "output": (6, 16), "blk.0.attn_q": (16, 16),
              "blk.0.attn_k": (8, 16), "blk.0.attn_v": (8, 16), "blk.0.attn_output": (16, 16),
              "blk.0.ffn_gate": (32, 16), "blk.0.ffn_up": (32, 16), "blk.0.ffn_down": (16, 32),
              "blk.0.attn_norm": (16,), "blk.0.ffn_norm": (16,)}  # fmt: skip
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for tensor, values in tensors.items():
        writer.add_tensor(f"{tensor}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return torch.from_numpy(tensors["token_embd"])


def test_a_copied_folder_differs_in_its_place_alone(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other")
    one, other = (Transformers(**local(place)).base_identity() for place in (folder, tmp_path / "other"))
    assert one.pop("place") != other.pop("place")
    assert one == other


def test_the_token_of_an_empty_text_is_part_of_what_a_tokeniser_is(tmp_path):
    """It is set beside the tokeniser's own file, which stays the same to the byte."""
    from tokenizers import Tokenizer, models

    found = []
    for end in ("a", "b"):
        own = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
        tokeniser = transformers.PreTrainedTokenizerFast(tokenizer_object=own, eos_token=end)
        found.append(Tokens(tokeniser, 8))
    (one, other), empty = (tokens.identity() for tokens in found), [tokens([""])["input_ids"][0] for tokens in found]
    assert [ids.tolist() for ids in empty] == [[1], [2]]
    assert one != other
