"""No step with a pretrained model waits for the device, but where its library asks; what is known changes nothing.

See `tests/training/test_host_transfers.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.data.splits import Splits
from equimodal.models.encoders.pretrained import Transformers
from equimodal.models.pretrained.running import tokens_of
from models.pretrained.tiny import EVERY, options, rows
from test_known import elsewhere
from training.test_host_transfers import method_of, steps_on_meta

ASKS = {"hubert", "qwen2_vl", "qwen2_audio", "qwen2_5_omni_thinker"}
"""Families whose classes in transformers make a mask or positions on the device, and read them."""


def data_of(kind: str) -> Splits:
    """Return two modalities, of which the second is of a kind and sometimes missing."""
    rng, count = np.random.default_rng(0), 40
    some: list[Any] = [None if i % 7 == 0 else rows(kind, 5)[i % len(rows(kind, 5))] for i in range(count)]
    if kind == "vector":
        some = [None if sound is None else sound[:, None] for sound in some]
    if kind == "text":
        some = [text or None for text in some]
    vectors = rng.normal(size=(count, 4)).astype(np.float32)
    return eq.Dataset({"vector": vectors, "other": some}, np.arange(count) % 2, classes=["a", "b"]).split(seed=0)


def waits(kind: str, model_type: str, **more: Any) -> list[str]:
    given = options(kind, model_type, **more)
    named = {key: value for key, value in given.items() if key not in ("kind", "pixels", "width")}
    data = data_of(kind)
    model = eq.Classifier.for_data(data, {"other": {"name": "transformers", **named}}, width=8)
    return steps_on_meta(method_of(data, "joint", model=model), data)


@pytest.mark.parametrize(("kind", "model_type"), [each for each in EVERY if each[1] not in ASKS])
def test_no_step_with_adapters_waits_for_the_device(kind, model_type):
    assert waits(kind, model_type, mode="lora") == []


@pytest.mark.parametrize("more", [
    {"mode": "frozen"}, {"mode": "frozen", "pooling": "attention"}, {"mode": "frozen", "dtype": "bfloat16"},
    {"mode": "last"}, {"mode": "full", "dtype": "bfloat16"}, {"mode": "lora", "gradient_checkpointing": True},
], ids=str)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "model_type"), [("image", "vit"), ("vector", "wav2vec2"), ("text", "bert"), ("text", "gemma3_text")]
)
def test_no_mode_waits_for_the_device(kind, model_type, more):
    assert waits(kind, model_type, **more) == []


@pytest.mark.parametrize(("kind", "model_type"), EVERY)
def test_tokens_and_masks_that_the_host_knows_give_the_same(kind, model_type):
    """On a device a batch's whole numbers are known; here the CPU stands for it."""
    torch.manual_seed(0)
    encoder = Transformers(**options(kind, model_type, mode="full")).eval()
    x = encoder._collated(rows(kind))
    known = {name: value if value.is_floating_point() else elsewhere(value) for name, value in x.items()}
    with torch.no_grad():
        plain, mask = tokens_of(encoder.base, encoder.architecture, x)
        found, known_mask = tokens_of(encoder.base, encoder.architecture, known)
    assert torch.equal(found, plain)
    assert (mask is None) == (known_mask is None)
    assert mask is None or known_mask is None or bool((mask == known_mask).all())
