"""Real weights, from the folder that `tools/build_weights.py` made: `EQUIMODAL_WEIGHTS=folder make test-weights`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, where huggingface_hub is imported: no test asks the hub

# Without weights there is nothing to test, and nothing heavy to import.
collect_ignore_glob = [] if os.environ.get("EQUIMODAL_WEIGHTS") else ["test_*.py"]

FOLDER = Path(os.environ.get("EQUIMODAL_WEIGHTS", "")).resolve()

ENCODERS: dict[str, dict[str, Any]] = {
    "minilm": {"name": "transformers", "model": "minilm"},
    "gemma": {"name": "transformers", "model": "gemma-3-270m-q4_k_m.gguf"},
    "whisper": {"name": "transformers", "model": "whisper-tiny.en", "sampling_rate": 16000},
    "wordllama": {"name": "benchmarks.accuracy.wordllama:WordLlama", "model": "wordllama"},
    "efficientnet": {
        "name": "benchmarks.accuracy.efficientnet_lite:EfficientNetLite",
        "weights": "efficientnet_lite0.safetensors",
    },
}
"""By name, the encoder as a configuration has it; weights are seen from the folder."""


def encoder_of(name: str, **more: Any) -> dict[str, Any]:
    """Return an encoder as a configuration names it; skip the test where its weights are not in the folder."""
    found = dict(ENCODERS[name])
    key = "weights" if "weights" in found else "model"
    path = FOLDER / found[key]
    if not path.exists():
        pytest.skip(f"{path.name} is not in {FOLDER}")
    return {**found, key: str(path), **more}


@pytest.fixture(autouse=True)
def converted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is converted beside the weights, so that it is converted once."""
    monkeypatch.setenv("EQUIMODAL_MODELS", str(FOLDER / "converted"))
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
