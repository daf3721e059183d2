"""What real models return, against their own libraries and against what is known of the world."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from sklearn.datasets import load_sample_image
from tokenizers import Tokenizer
from torch import Tensor

from equimodal.data.columns.base import Spec
from equimodal.models.encoders.base import build_encoder
from equimodal.models.imported import encoder_class
from equimodal.models.pretrained.gguf import converted
from weights.conftest import FOLDER, encoder_of

pytestmark = pytest.mark.weights

SPECS = {
    "minilm": Spec("text", (), np.dtype("U")),
    "gemma": Spec("text", (), np.dtype("U")),
    "wordllama": Spec("text", (), np.dtype("U")),
    "whisper": Spec("vector", (16000,), np.dtype("float32")),
    "efficientnet": Spec("image", (427, 640, 3), np.dtype("uint8")),
}
TEXTS = ["a cat is sleeping on the mat", "", "shares fell sharply on monday"]


def make(name: str, **more: Any) -> Any:
    options = encoder_of(name, **more)
    cls: Any = encoder_class(options["name"])
    called = options.pop("name")
    return build_encoder(called, "a", {**cls.describe(SPECS[name]), **options}, cls).eval()


def rows_for(name: str) -> list[Any]:
    if name == "efficientnet":
        return [load_sample_image("flower.jpg"), load_sample_image("china.jpg")]
    if name == "whisper":
        return [np.random.default_rng(i).normal(0, 0.1, 16000).astype(np.float32) for i in range(2)]
    return TEXTS


@pytest.mark.parametrize("name", list(SPECS))
def test_encodings_are_finite_and_differ(name):
    encoder = make(name)
    found = torch.stack(encoder.features_of_rows(rows_for(name)))
    assert found.shape == (len(found), encoder.size)
    assert torch.isfinite(found).all()
    assert (found[0] - found[-1]).abs().max() > 0.01 * found.abs().max()


@pytest.mark.parametrize(("name", "gap"), [("minilm", 0.3), ("wordllama", 0.15)])
def test_texts_of_one_meaning_are_near(name, gap):
    pairs = [
        ("A kitten naps on a rug.", "The little cat sleeps on the carpet."),
        ("Stock prices dropped today.", "Shares fell on the market."),
        ("He plays the guitar well.", "She is a skilled violin player."),
    ]
    vectors = make(name).features_of_rows([text for pair in pairs for text in pair])
    unit = torch.nn.functional.normalize(torch.stack(vectors), dim=1)
    near = (unit[0::2] * unit[1::2]).sum(1)
    far = (unit[0::2] @ unit[1::2].T)[~torch.eye(3, dtype=torch.bool)]
    assert near.mean() > far.mean() + gap


def test_minilm_is_the_mean_over_the_tokens():
    path = encoder_of("minilm")["model"]
    tokeniser = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModel.from_pretrained(path).eval()
    together = tokeniser(TEXTS, padding=True, return_tensors="pt")
    assert_close(make("minilm").features_of_rows(TEXTS), means(model, together), 1e-5)


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_gemma_is_that_of_transformers_wherever_padding_is(pooling, side):
    folder = converted(FOLDER / "gemma-3-270m-q4_k_m.gguf") if encoder_of("gemma") else None
    tokeniser = transformers.AutoTokenizer.from_pretrained(folder, padding_side=side)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    together = tokeniser(TEXTS, padding=True, return_tensors="pt")
    assert not together["attention_mask"].all()
    positions = (together["attention_mask"].cumsum(1) - 1).clamp(min=0)
    if pooling == "mean":
        expected = means(model, together, position_ids=positions)
    else:
        alone = [tokeniser(text, return_tensors="pt") for text in TEXTS]
        with torch.no_grad():
            expected = [model(**one).last_hidden_state[0, -1] for one in alone]
    assert_close(make("gemma", pooling=pooling).features_of_rows(TEXTS), expected, 1e-4)
    encoder = make("gemma", pooling=pooling, mode="lora")  # runs whole batches; its adapters change nothing yet
    with torch.no_grad():
        found, _ = encoder.features({name: together[name] for name in ("input_ids", "attention_mask")})
    assert_close(list(found), expected, 1e-4)


def test_gemma_knows_english():
    """Its own words, by the embeddings that it shares with its output."""
    encoder = make("gemma")

    def loss(text: str) -> float:
        ids = torch.from_numpy(encoder.process([text])["input_ids"][0])[None]
        with torch.no_grad():
            states = encoder.base(input_ids=ids).last_hidden_state[0]
        logits = states @ encoder.base.embed_tokens.weight.T
        return float(torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]))

    sentence = "The children went to school by bus, because it was raining."
    assert loss(sentence) < 4 < loss("Raining the was bus by, school because went it children to.")


def test_efficientnet_is_that_of_its_authors(monkeypatch):
    encoder = make("efficientnet")
    monkeypatch.syspath_prepend(str(FOLDER / "reference"))
    package = pytest.importorskip("efficientnet_lite_pytorch")
    reference = package.EfficientNet.from_name("efficientnet-lite0").eval()
    state = load_file(FOLDER / "efficientnet_lite0.safetensors")
    reference.load_state_dict(state)
    picture = load_sample_image("flower.jpg")
    (found,) = encoder.features_of_rows([picture])
    with torch.no_grad():
        expected = reference.extract_features(encoder.picture(torch.tensor(picture))).mean((2, 3))[0]
    assert torch.allclose(found, expected, atol=1e-5)
    assert (state["_fc.weight"] @ found + state["_fc.bias"]).argmax() == 985  # a daisy


def test_whisper_is_the_mean_over_the_sound_alone():
    path = encoder_of("whisper")["model"]
    sound = rows_for("whisper")[0]
    extractor = transformers.AutoFeatureExtractor.from_pretrained(path)
    model = transformers.WhisperModel.from_pretrained(path, dtype=torch.float32).eval()
    spectrogram = extractor(sound, sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        tokens = cast(Any, model).encoder(spectrogram).last_hidden_state[0]
    assert_close(make("whisper").features_of_rows([sound]), [tokens[:50].mean(0)], 1e-4)  # 50 a second


def test_wordllama_is_the_mean_of_the_table():
    folder = encoder_of("wordllama")["model"]
    tokeniser = Tokenizer.from_file(f"{folder}/tokenizer.json")
    table = load_file(f"{folder}/embedding.safetensors")["embedding.weight"].float()
    expected = [table[tokeniser.encode(text, add_special_tokens=False).ids].mean(0) for text in TEXTS if text]
    assert_close(make("wordllama").features_of_rows([text for text in TEXTS if text]), expected, 1e-6)


@pytest.mark.parametrize("name", ["minilm", "gemma", "whisper"])
def test_new_adapters_change_nothing(name):
    rows = rows_for(name)
    assert_close(make(name, mode="lora").features_of_rows(rows), make(name).features_of_rows(rows), 1e-4)


def means(model: Any, inputs: Any, **more: Any) -> list[Tensor]:
    with torch.no_grad():
        tokens = model(**inputs, **more).last_hidden_state
    return [row[valid.bool()].mean(0) for row, valid in zip(tokens, inputs["attention_mask"], strict=True)]


def assert_close(found: list[Tensor], expected: list[Tensor], share: float) -> None:
    """Compare relative to the largest number."""
    one, other = torch.stack(list(found)).detach(), torch.stack(list(expected))
    assert (one - other).abs().max() <= share * other.abs().max()
