"""Folders of models in which something is wrong: one message, no question, and never another model's numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from equimodal.errors import DataError
from equimodal.models.encoders.pretrained import Transformers
from equimodal.models.pretrained import gguf
from equimodal.models.pretrained.quiet import quiet
from models.pretrained.test_runs import rewrite, store
from models.pretrained.test_sources import local, message, write_gguf
from models.pretrained.tiny import config, options


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    store(tmp_path / "vit", seed=3)
    return tmp_path / "vit"


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A stored BERT of two layers, and a tokeniser of nine words."""
    settings = {key: value for key, value in config("bert").items() if key != "model_type"}
    made = transformers.BertForMaskedLM(transformers.BertConfig(**{**settings, "num_hidden_layers": 2}))
    made.save_pretrained(tmp_path / "bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day", "night"]
    tokeniser = transformers.BertTokenizer(vocab={word: place for place, word in enumerate(words)})
    tokeniser.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def text(folder: Path, **more: Any) -> dict[str, Any]:
    return {**options("text", "bert", **more), "config": None, "model": str(folder)}


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1, 2]", "expected a mapping with model_type"),
        (b"{}", "expected a mapping with model_type"),
        (b'{"model_type": 3}', "expected a mapping with model_type"),
        (b"\xff\xfe\x00", "cannot be read ("),
        (
            b'{"model_type": "vitt"}',
            "no model type 'vitt' is served by the encoder 'transformers'. Did you mean 'vit'?",
        ),
    ],
)
def test_a_configuration_that_names_no_model_is_said(vit, content, said):
    (vit / "config.json").write_bytes(content)
    assert f"model: {vit / 'config.json'}: {said}" in message(**local(vit))


def test_code_of_a_model_is_never_run_nor_asked_about(vit, bert, capfd, monkeypatch):
    """The library would ask at the terminal whether to run it."""
    monkeypatch.setattr("builtins.input", None)
    (vit / "own.py").write_text("raise SystemExit('was run')", encoding="utf-8")
    rewrite(
        vit / "preprocessor_config.json",
        lambda c: c.update(auto_map={"AutoImageProcessor": "own.Own"}, image_processor_type="Own"),
    )
    assert "it comes with code of its own, which is never run" in message(**local(vit))
    rewrite(vit / "config.json", lambda c: c.update(auto_map={"AutoConfig": "own.Own"}, model_type="own"))
    assert "no model type 'own' is served" in message(**local(vit))
    rewrite(bert / "config.json", lambda c: c.update(auto_map={"AutoConfig": "own.Own", "AutoModel": "own.Own"}))
    Transformers(**text(bert))  # the library's own class reads it
    assert "custom code" not in "".join(capfd.readouterr())


def test_adapters_are_no_model(vit):
    """The library would load what they name as their base, from the hub if need be."""
    adapters = {"peft_type": "LORA", "base_model_name_or_path": "nobody/nothing", "target_modules": ["q_proj"]}
    (vit / "adapter_config.json").write_text(json.dumps(adapters), encoding="utf-8")
    assert "holds adapters (adapter_config.json), which change another model" in message(**local(vit))
    (vit / "config.json").unlink()
    assert "holds adapters" in message(**local(vit))


def test_weights_under_another_name_are_named(vit):
    (vit / "model.safetensors").rename(vit / "model-00001-of-00002.safetensors")
    assert "model.safetensors.index.json and its parts, got model-00001-of-00002.safetensors" in message(**local(vit))


def test_a_part_of_the_weights_that_is_missing_is_named(vit):
    names = list(load_file(vit / "model.safetensors"))
    (vit / "model.safetensors").rename(vit / "model-00001-of-00002.safetensors")
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    index = json.dumps({"metadata": {}, "weight_map": places})
    (vit / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    assert "model-00002-of-00002.safetensors" in message(**local(vit))


def test_a_tensor_of_another_shape_is_named_with_both_shapes(vit):
    rewrite(vit / "config.json", lambda c: c.update(image_size=32))
    said = "embeddings.position_embeddings should be (1, 17, 16), and is (1, 5, 16); 1 tensors have another shape"
    assert said in message(**local(vit))


def test_layers_that_the_configuration_does_not_have_are_not_left_out(bert):
    rewrite(bert / "config.json", lambda c: c.update(num_hidden_layers=1))
    said = message(**text(bert))
    assert "its weights have more layers than config.json says: bert.encoder.layer.1." in said
    assert "where it has 1" in said


def test_heads_that_are_not_used_may_be_there(vit, bert):
    change_weights(vit, lambda tensors: tensors.update({"classifier.0.weight": torch.zeros(3)}))
    Transformers(**local(vit))
    assert any("cls." in name for name in load_file(bert / "model.safetensors"))
    Transformers(**text(bert))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(vit, wrong):
    """Attention may hide them: its output is finite where all scores of a row are NaN."""

    def change(tensors):
        name = next(name for name in tensors if "key.weight" in name or "k_proj.weight" in name)
        tensors[name][0, 0] = wrong

    change_weights(vit, change)
    assert "its weights hold NaN or infinite numbers (" in message(**local(vit))


def test_the_tokeniser_of_another_model_is_refused(bert):
    rewrite(bert / "tokenizer.json", lambda c: c["model"]["vocab"].update(night=500))
    said = message(**text(bert))
    assert "its tokeniser has numbers up to 500, but the model knows 280 tokens" in said


def test_a_token_that_was_added_and_the_model_lacks_is_named_with_its_text(bert):
    """Some models lack tokens of their tokeniser that mean nothing to them."""
    tokeniser = transformers.AutoTokenizer.from_pretrained(bert)
    tokeniser.add_tokens([f"<extra{number}>" for number in range(300)])
    tokeniser.save_pretrained(bert)
    encoder = Transformers(**text(bert))
    encoder.features_of_rows(["good day"])
    with pytest.raises(DataError, match=r"'good <extra299>' has the token '<extra299>', whose number is 308"):
        encoder.features_of_rows(["good day", "good <extra299>"])


@pytest.mark.parametrize("tokens", [1, 2])
def test_a_limit_that_leaves_nothing_of_a_text_is_refused(bert, tokens):
    assert f"tokens: expected more than 2, which the tokeniser adds to each text, got {tokens}" in message(
        **text(bert, tokens=tokens)
    )
    found = Transformers(**text(bert, tokens=3)).process(["good day"])["input_ids"][0]
    assert found.tolist() == [2, 5, 3]


def test_why_a_processor_cannot_be_loaded_is_said_in_short(vit):
    (vit / "preprocessor_config.json").unlink()
    assert "has no processor of pictures that can be loaded (there is no such file). Put" in message(**local(vit))


def test_a_mistyped_folder_is_told_from_those_beside_it(vit, monkeypatch, capfd):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(vit.parent)
    shutil.copytree(vit, vit.parent / "models" / "minilm")
    assert "Did you mean 'minilm'?" in message(kind="image", model="models/minlm")
    assert capfd.readouterr().err == ""


def test_tries_to_reach_the_hub_are_not_shown():
    import logging

    from huggingface_hub.utils import logging as hub

    logger = hub.get_logger("huggingface_hub.utils._http")
    assert logger.isEnabledFor(logging.WARNING)
    with quiet():
        assert not logger.isEnabledFor(logging.ERROR)
    assert logger.isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"config": "vit"}, "config: expected a mapping with model_type, for instance {model_type: vit}, got 'vit'"),
        ({"model": " "}, "model: is empty. Name a folder"),
    ],
)
def test_what_names_no_model_is_said(given, said):
    assert said in message(kind="image", **given)


def stored_gguf(place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write a tiny Llama as GGUF, and return what an encoder of it is given."""
    monkeypatch.setenv("EQUIMODAL_MODELS", str(place / "converted"))
    write_gguf(place / "model.gguf")
    return {**options("text", "llama"), "config": None, "model": str(place / "model.gguf")}


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:200], lambda b: b[:4] + b"\xff" * 500])
def test_a_damaged_gguf_file_is_said(tmp_path, monkeypatch, damage):
    given = stored_gguf(tmp_path, monkeypatch)
    (tmp_path / "model.gguf").write_bytes(damage((tmp_path / "model.gguf").read_bytes()))
    assert f"model: {tmp_path / 'model.gguf'}: cannot be converted (" in message(**given)
    assert not [path for path in (tmp_path / "converted").iterdir() if path.is_dir()]


def test_a_damaged_conversion_is_to_be_removed(tmp_path, monkeypatch):
    given = stored_gguf(tmp_path, monkeypatch)
    Transformers(**given)
    (folder,) = (path for path in (tmp_path / "converted").iterdir() if path.is_dir())
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert f"Remove {folder}, where the file was converted, and start again" in message(**given)
    shutil.rmtree(folder)
    Transformers(**given)


def test_a_gguf_file_that_does_not_fit_is_refused_before_it_is_converted(tmp_path, monkeypatch):
    """Its tensors have 2544 numbers: three copies of four bytes."""
    given = stored_gguf(tmp_path, monkeypatch)
    monkeypatch.setattr(gguf, "available", lambda: 12 * 2544 - 1)
    assert "converting it needs about 30.5 kB of memory, and 30.5 kB are available" in message(**given)
    monkeypatch.setattr(gguf, "available", lambda: 12 * 2544)
    assert gguf.converted(tmp_path / "model.gguf").is_dir()
