"""Runs on real models: what is frozen stays, caches change no bit, runs are saved without the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import equimodal as eq
from equimodal.data.splits import Splits
from equimodal.models.state import checksum, frozen_state, named_tensors
from weights.conftest import encoder_of

pytestmark = pytest.mark.weights

BRIEF = {"epochs": 2, "batch_size": 4, "quiet": True, "reference": False, "measure": {"bootstrap": 0, "probe": 4}}
TRUST = ["benchmarks.accuracy.wordllama", "benchmarks.accuracy.efficientnet_lite"]
READS = {"minilm": "text", "gemma": "text", "wordllama": "text", "efficientnet": "image", "whisper": "sound"}


def data_for(modality: str) -> Splits:
    """Sixteen rows of two classes: a text, a picture or a second of sound, and a picture or a text beside it."""
    rng = np.random.default_rng(0)
    y = np.arange(16) % 2
    rows: dict[str, Any] = {
        "text": [f"{'a red fox' if label else 'an old house by the sea'}, number {i}" for i, label in enumerate(y)],
        "image": rng.integers(0, 128, (16, 24, 24, 3), dtype=np.uint8) + 100 * y[:, None, None, None].astype(np.uint8),
        "sound": rng.normal(0, 0.1 + 0.1 * y[:, None], (16, 16000)).astype(np.float32),
    }
    other = "text" if modality == "image" else "image"
    chosen = {name: rows[name] for name in (modality, other)}
    return eq.Dataset(chosen, y).split(seed=0, fractions=(0.5, 0.25, 0.25))


def fit(name: str, **more: Any) -> tuple[Any, Splits]:
    """Return a run whose encoder is the one named, and its data; check that nothing frozen has moved."""
    encoder_options = more.pop("encoder", {})
    data, modality = data_for(READS[name]), READS[name]
    model = eq.Classifier.for_data(data, {modality: encoder_of(name, **encoder_options)}, width=8)
    before = checksum(frozen_state(model.encoders[modality]))
    run = eq.fit(model, data, "joint", **{**BRIEF, **more})
    assert checksum(frozen_state(model.encoders[modality])) == before
    return run, data


@pytest.mark.parametrize("name", list(READS))
def test_frozen_models_stay_and_a_cache_changes_no_bit(tmp_path, name):
    plain, data = fit(name, out=tmp_path / "run")
    kept, _ = fit(name, features={"cache": str(tmp_path / "cache")})
    tensors = named_tensors(kept.model)
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in named_tensors(plain.model).items())
    assert plain.test == kept.test
    saved = [key for path in (tmp_path / "run").rglob("*.safetensors") for key in load_file(path)]
    assert not [key for key in saved if f"encoders.{READS[name]}.base." in key]  # named by source and checksum
    again = eq.load(tmp_path / "run", trust=TRUST)
    expected = eq.predict(plain, data.test).probabilities
    assert np.array_equal(eq.predict(again, data.test).probabilities, expected)


@pytest.mark.parametrize("name", ["minilm", "gemma", "whisper"])
def test_adapters_learn_and_are_saved_alone(tmp_path, name):
    run, data = fit(name, encoder={"mode": "lora", "rank": 2}, out=tmp_path / "run", epochs=1)
    adapters = {key: value for key, value in named_tensors(run.model).items() if "lora_B" in key}
    assert adapters
    assert any(value.any() for value in adapters.values())  # 0 at the start
    again = eq.load(tmp_path / "run")
    expected = eq.predict(run, data.test).probabilities
    assert np.allclose(eq.predict(again, data.test).probabilities, expected, atol=1e-6)
