"""Tiny runs, and how two of them are compared."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from equimodal.batch import Batch
from equimodal.data.splits import Splits
from equimodal.methods.base import METHODS, Method, Outcome, Update
from equimodal.testing.watching import Updates, follow, watched
from equimodal.training.fit import fit
from equimodal.training.run import Run
from synthetic import make_model, make_splits

METHOD_OF_EACH_KIND = (
    "joint",
    "unimodal_ensemble",
    "equilibrium:alternation=epoch,order=random",
    "paper",
)
"""One pass, several phases, several passes, several updates; what every method must do is in the conformance suite."""
BATCHES = 2
"""Batches in one pass over the tiny training part."""
EPOCHS = 2


@pytest.fixture(scope="session")
def tiny() -> Splits:
    """48 training rows, vector and sequence, some entries absent."""
    return make_splits(80, modalities=("vector", "sequence"))


def fit_tiny(tiny: Splits, method: str, out: Path | None = None, **options: Any) -> Run:
    """Train a new small model for a moment; the same arguments give the same run."""
    model = options.pop("model", None) or make_model(tiny, width=6, encoders={"vector": {"dropout": 0.2}})
    options = {"epochs": EPOCHS, "batch_size": 24, "reference": False, "measure": {"bootstrap": 10}, **options}
    return fit(model, tiny, method, out=out, quiet=True, **options)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Return the history without times and memory, which differ."""
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "memory")} for line in lines]


def assert_same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Assert that two sets of weights are equal to the bit."""
    assert one.keys() == other.keys()
    assert [name for name in one if not _equal(one[name], other[name])] == []


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def assert_same_run(one: Path, other: Path) -> None:
    """Assert that two folders hold the same run: weights to the bit, history, measurements."""
    for name in ("model.safetensors", "checkpoint/state.safetensors"):
        assert_same_weights(load_file(one / name), load_file(other / name))
    assert lines_of(one) == lines_of(other)
    assert (one / "metrics.json").read_text() == (other / "metrics.json").read_text()


def names_in(folder: Path) -> list[str]:
    """Return the names of what a folder holds, sorted, without its lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def temporaries(folder: Path) -> list[Path]:
    """Return what was left half-written under a folder."""
    return [path for path in folder.rglob("*") if path.name.startswith(".") and path.name != ".lock"]


@contextmanager
def at_batch(number: int, action: Callable[[], None]) -> Iterator[None]:
    """Do something in the midst of the `number`-th batch that any method works on, after its first update."""
    batches = 0

    def watch(method: Method, batch: Batch, plain: Callable[[Batch], Updates]) -> Updates:
        nonlocal batches
        batches += 1
        first = batches == number

        def notice(update: Update, outcome: Outcome) -> None:
            nonlocal first
            if first:
                first = False
                action()

        yield from follow(plain(batch), notice)

    with ExitStack() as stack:
        for cls in map(METHODS.get, METHODS.names()):
            if "updates" in vars(cls):  # others have them of one that is watched already
                stack.enter_context(watched(cls, watch))
        yield


def press_ctrl_c() -> None:
    """Send this process a real SIGINT."""
    signal.raise_signal(signal.SIGINT)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse to write files beyond `size` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
