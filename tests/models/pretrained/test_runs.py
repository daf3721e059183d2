"""Pretrained encoders in whole runs: missing rows, the cache of features, saving and loading, the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import equimodal as eq
from equimodal.config.load import load_config
from equimodal.config.yaml import read_yaml_file, write_yaml
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, RunError
from equimodal.features.cache import open_cache
from equimodal.files import write_text
from equimodal.models.encoders.base import build_encoder
from equimodal.models.encoders.pretrained import Transformers
from models.pretrained.tiny import config

BRIEF = {"epochs": 2, "batch_size": 16, "quiet": True, "reference": False, "measure": {"bootstrap": 10}}


@pytest.fixture(scope="module")
def data() -> Splits:
    """Pictures, sounds of differing lengths and texts of two classes; a fifth of each is missing."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    sounds: list[Any] = [rng.normal(y[i], 1, (int(rng.integers(900, 1300)), 1)).astype(np.float32) for i in range(40)]
    texts: list[Any] = [("good day " if label else "bad night ") * int(rng.integers(1, 4)) for label in y]
    missing = rng.random((2, 40)) < 0.2
    sounds = [None if gone else sound for gone, sound in zip(missing[0], sounds, strict=True)]
    texts = [None if gone else text for gone, text in zip(missing[1], texts, strict=True)]
    pictures = rng.integers(0, 128, (40, 16, 16, 3), dtype=np.uint8) + 100 * y[:, None, None, None].astype(np.uint8)
    everything = {"image": pictures, "sound": sounds, "text": texts}
    return eq.Dataset(everything, y, classes=["no", "yes"]).split(seed=0)


def encoders(mode: str = "frozen", **more: Any) -> dict[str, dict[str, Any]]:
    shared = {"name": "transformers", "mode": mode, **more}
    return {
        "image": {**shared, "config": config("vit")},
        "sound": {**shared, "config": config("wav2vec2"), "sampling_rate": 16000},
        "text": {**shared, "config": config("llama")},
    }


def fit(data: Splits, given: dict[str, Any], **more: Any) -> Any:
    return eq.fit(eq.Classifier.for_data(data, given, width=8), data, "joint", **{**BRIEF, **more})


def test_missing_rows_are_never_read_and_change_no_other_row(data):
    model = eq.Classifier.for_data(data, encoders(), width=8, fusion="late").eval()
    part = data.train
    here = part.present["sound"]
    assert not here.all()
    batch = model.prepare(part).batch(np.arange(len(part)))
    with torch.no_grad():
        found = model.encode(batch)["sound"]
        alone = model.encode(model.prepare(part.subset(np.flatnonzero(here))).batch(np.arange(int(here.sum()))))[
            "sound"
        ]
    assert not found[~here].any()
    assert torch.allclose(found[here], alone, atol=1e-6)


@pytest.mark.parametrize("pooling", [None, "attention"])
def test_a_run_is_the_same_to_the_bit_with_a_cache_and_without(data, tmp_path, pooling):
    given = encoders(pooling=pooling)
    plain = fit(data, given)
    kept = fit(data, given, features={"cache": str(tmp_path / "cache")})
    again = fit(data, given, features={"cache": str(tmp_path / "cache")})
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor, kept.model.state_dict()[name]), name
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    assert plain.test == kept.test == again.test
    one = eq.predict(plain, data.test)
    assert np.array_equal(one.probabilities, eq.predict(plain, data.test, cache=tmp_path / "cache").probabilities)


def test_what_trains_has_no_frozen_part(data, tmp_path):
    model = eq.Classifier.for_data(data, encoders("lora"), width=8, fusion="late")
    assert all(encoder.frozen_part() is None for encoder in model.encoders.values())  # pyright: ignore
    model.prepare(data.train, open_cache(tmp_path / "cache"))
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


@pytest.mark.parametrize("mode", ["frozen", "lora", "last", "full"])
def test_a_new_model_is_saved_whole_and_loaded_again(data, tmp_path, mode):
    run = fit(data, encoders(mode), out=tmp_path / "run", epochs=1)
    again = eq.load(tmp_path / "run")
    assert np.array_equal(eq.predict(again, data.test).probabilities, eq.predict(run, data.test).probabilities)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store(tmp_path / "vit", seed=3)
    return tmp_path / "vit"


def store(place: Path, seed: int) -> None:
    torch.manual_seed(seed)
    settings = {key: value for key, value in config("vit").items() if key != "model_type"}
    transformers.ViTModel(transformers.ViTConfig(**settings), add_pooling_layer=False).save_pretrained(place)
    transformers.ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(place)


@pytest.mark.parametrize("mode", ["frozen", "lora"])
def test_a_base_is_named_and_not_saved_and_checked_when_it_is_loaded(data, tmp_path, folder, mode):
    given = {"image": {"name": "transformers", "model": str(folder), "mode": mode}}
    two = data.parts()["train"].modalities
    assert "image" in two
    run = fit(data, given, out=tmp_path / "run", epochs=1)
    assert not (tmp_path / "run" / "base.safetensors").exists()
    described = run.model.specification()["encoders"]["image"]
    assert described["base"]["source"] == str(folder)
    before = eq.predict(run, data.test).probabilities
    assert np.array_equal(eq.predict(eq.load(tmp_path / "run"), data.test).probabilities, before)
    store(folder, seed=4)
    with pytest.raises(RunError, match=r"'image' is made of files that have changed .*\(the frozen tensors: .* here\)"):
        eq.load(tmp_path / "run")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="no such folder"):
        eq.load(tmp_path / "run")


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A stored BERT, which is no frozen base where all of it trains, and its tokeniser."""
    settings = {key: value for key, value in config("bert").items() if key != "model_type"}
    torch.manual_seed(5)
    transformers.BertModel(transformers.BertConfig(**settings), add_pooling_layer=False).save_pretrained(
        tmp_path / "bert"
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day", "night"]
    transformers.BertTokenizer(vocab={word: place for place, word in enumerate(words)}).save_pretrained(
        tmp_path / "bert"
    )
    return tmp_path / "bert"


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


CHANGES: dict[str, tuple[str, str, Callable[[dict[str, Any]], None], str]] = {
    "configuration": (
        "image", "config.json", lambda c: c.update(num_attention_heads=1), "config.json: '",
    ),
    "processor": (
        "image", "preprocessor_config.json", lambda c: c.update(image_mean=[0.1, 0.5, 0.5]),
        "preprocessor_config.json.image_mean: [0.5, 0.5, 0.5] there, [0.1, 0.5, 0.5] here",
    ),
    "tokeniser": (
        "text", "tokenizer.json", lambda c: c["model"]["vocab"].update(good=6, bad=5),
        "tokenizer.json or its vocabulary: '",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_file_of_the_model_is_named_when_a_run_is_loaded_or_resumed(data, tmp_path, folder, reader, what):
    """The text's model trains as a whole: no frozen tensor could show that something has changed."""
    given = {
        "image": {"name": "transformers", "model": str(folder)},
        "text": {"name": "transformers", "model": str(reader), "mode": "full"},
    }
    before = eq.predict(fit(data, given, out=tmp_path / "run", epochs=1), data.test).probabilities
    modality, file, change, said = CHANGES[what]
    place = folder if modality == "image" else reader
    content = (place / file).read_text(encoding="utf-8")
    rewrite(place / file, change)
    with pytest.raises(RunError) as loaded:
        eq.load(tmp_path / "run")
    assert f"the encoder of '{modality}' is made of files that have changed since training ({said}" in str(loaded.value)
    assert str(loaded.value).count(" there, ") == 1
    with pytest.raises(RunError) as resumed:
        fit(data, given, out=tmp_path / "run", epochs=1, resume=True)
    assert f"the model's encoders.{modality}.{said}" in str(resumed.value)
    (place / file).write_text(content, encoding="utf-8")
    assert np.array_equal(eq.predict(eq.load(tmp_path / "run"), data.test).probabilities, before)


def test_what_decides_nothing_in_a_model_folder_may_change(data, tmp_path, folder):
    given = {"image": {"name": "transformers", "model": str(folder)}}
    fit(data, given, out=tmp_path / "run", epochs=1)
    (folder / "README.md").write_text("A model.", encoding="utf-8")
    rewrite(folder / "config.json", lambda c: c.update(transformers_version="9.9", id2label={"0": "cat"}))
    rewrite(folder / "preprocessor_config.json", lambda c: c.update(of_a_later_version=1))
    eq.load(tmp_path / "run")
    fit(data, given, out=tmp_path / "run", epochs=1, resume=True)


def test_a_run_from_before_files_were_kept_is_resumed(data, tmp_path, folder):
    given = {"image": {"name": "transformers", "model": str(folder)}}
    fit(data, given, out=tmp_path / "run", epochs=1)
    content = read_yaml_file(tmp_path / "run" / "config.yaml")
    del content["provenance"]["model"]["encoders"]["image"]["files"]
    write_text(tmp_path / "run" / "config.yaml", write_yaml(content))
    fit(data, given, out=tmp_path / "run", epochs=1, resume=True)


def test_features_are_found_again_where_the_model_was_moved(data, tmp_path, folder, monkeypatch):
    given = {"image": {"name": "transformers", "model": str(folder)}}
    cache = {"cache": str(tmp_path / "cache")}
    one = fit(data, given, features=cache)
    given["image"]["model"] = str(folder.rename(tmp_path / "elsewhere"))
    monkeypatch.setattr(Transformers, "features_of_rows", None)  # not reached
    assert fit(data, given, features=cache).test == one.test


def test_a_model_beside_a_yaml_file_is_found_from_anywhere(tmp_path, folder, monkeypatch):
    text = "model: {encoders: {image: {name: transformers, model: vit}, text: {name: transformers, model: a/b}}}"
    write_text(tmp_path / "run.yaml", text)
    monkeypatch.chdir("/")
    found = load_config(tmp_path / "run.yaml").model.encoders
    assert found["image"]["model"] == str(folder)  # pyright: ignore[reportArgumentType]
    assert found["text"]["model"] == "a/b"  # pyright: ignore[reportArgumentType]


def test_workers_read_the_same(data):
    given = encoders()
    assert fit(data, given, epochs=1).test == fit(data, given, epochs=1, loader_workers=1).test


def test_the_command_line_trains_evaluates_and_predicts(tmp_path):
    from typer.testing import CliRunner

    from equimodal.cli.main import app

    settings = {
        "data": {"name": "emoji", "labels": 30},
        "model": {
            "width": 8,
            "encoders": {
                "image": {"name": "transformers", "config": config("vit")},
                "text": {"name": "transformers", "config": config("bert"), "mode": "lora"},
            },
        },
        "method": "joint",
        "training": {"epochs": 1},
        "reference": False,
        "measure": {"bootstrap": 10},
    }
    write_text(tmp_path / "run.yaml", write_yaml(settings))
    out = str(tmp_path / "out")
    for command in (
        ["train", str(tmp_path / "run.yaml"), "--out", out],
        ["evaluate", out],
        ["predict", out, "emoji", "--split", "test", "--out", str(tmp_path / "p.csv")],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert len((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()) == 376


def test_padded_sounds_are_those_of_their_lengths():
    rng = np.random.default_rng(0)
    sounds = [rng.normal(size=(steps, 1)).astype(np.float32) for steps in (900, 1200, 1000)]
    padded = np.stack([np.pad(sound, ((0, 1300 - len(sound)), (0, 0)), constant_values=7) for sound in sounds])
    shared = {"image": rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)}
    one = eq.Dataset({"sound": sounds, **shared})
    other = eq.Dataset({"sound": padded, **shared}, lengths={"sound": [900, 1200, 1000]})
    encoder = build_encoder(
        "transformers", "sound", {"kind": "sequence", "config": config("wav2vec2"), "sampling_rate": 16000}
    )
    model = eq.Classifier({"sound": encoder, "image": torch.nn.Identity()}, ["a", "b"], fusion="late").eval()
    with torch.no_grad():
        found = [model.encode_one(model.prepare(data).batch(np.arange(3)), "sound") for data in (one, other)]
    assert torch.equal(*found)
