from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch):
    """No test asks the hub; threads of tokenisers would only warn where workers fork."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, where huggingface_hub is imported
