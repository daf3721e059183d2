from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, where huggingface_hub is imported: no test asks the hub

# The extra 'encoders' is an extra: without it there is nothing to test.
collect_ignore_glob = [] if find_spec("transformers") and find_spec("peft") else ["test_*.py"]


@pytest.fixture(autouse=True)
def single_threaded_tokenisers(monkeypatch: pytest.MonkeyPatch):
    """Threads of tokenisers would only warn where workers fork."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
