"""Shared by all tests: one thread, seeds that no test leaks to the next, and small synthetic data."""

from __future__ import annotations

import os
import random

import hypothesis
import pytest
import torch

from equimodal.data.splits import Splits
from synthetic import make_splits

torch.set_num_threads(1)
# In the programs that tests start, too: threads that wait for one another on busy cores take many times as long.
os.environ["OMP_NUM_THREADS"] = "1"
hypothesis.settings.register_profile("equimodal", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("equimodal")


@pytest.fixture(autouse=True)
def isolated_seeds():
    """Start each test from the same random state, and leave the state behind as it was."""
    states = random.getstate(), torch.get_rng_state()
    random.seed(0)
    torch.manual_seed(0)
    yield
    random.setstate(states[0])
    torch.set_rng_state(states[1])


@pytest.fixture(scope="session")
def splits() -> Splits:
    """Three classes, three modalities (vector, sequence with lengths, image), 30% of entries absent."""
    return make_splits()


@pytest.fixture(scope="session")
def four() -> Splits:
    """The same with text beside them, and some samples that have no modality at all."""
    return make_splits(modalities=("vector", "sequence", "image", "text"), nothing=0.1)
