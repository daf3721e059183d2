"""What an epoch costs with a frozen language model whose features are cached, against encoding the rows each time.

`python benchmarks/speed/cached_epoch.py MODEL` trains on emoji, with and without the cache of its text, in turn in one
process, because machines are noisy. An epoch is the pass over the training rows, its validation and the Shapley probe.
Filling the cache, which happens once, is timed on its own. MODEL is what the encoder `transformers` calls `model`: a
folder or a `.gguf` file. The pictures have a tiny encoder from scratch, which is part of both times.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import numpy as np
import torch

import equimodal as eq
from equimodal.config.run import build_config
from equimodal.data.catalogue import load
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.training.fit import set_up

PROBE = 16


def emoji(rows: int) -> Splits:
    """Return emoji with that many training rows, and a quarter of it in the other parts."""
    data = load("emoji")

    def some(part: Dataset, count: int) -> Dataset:
        return part.subset(np.linspace(0, len(part) - 1, count).astype(int))

    train, few = some(data.train, rows), rows // 4
    return Splits(train, some(data.validation, few), some(data.test, few))


def epochs(data: Splits, model: eq.Classifier, count: int, cache: str | None) -> tuple[list[float], float]:
    """Train; return the seconds of each epoch, and those of setting up, where the cache is filled."""
    config = build_config(
        {
            "method": "joint",
            "training": {"epochs": count, "batch_size": 64},
            "measure": {"bootstrap": 0, "probe": PROBE},
            "features": {"cache": cache},
            "reference": False,
        }
    )
    started = time.perf_counter()
    trainer = set_up(config, data, model, quiet=True)
    prepared = time.perf_counter() - started
    trainer.run()
    return [line["seconds"]["train"] + line["seconds"]["probe"] for line in trainer.history.lines], prepared


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the frozen model")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed, in turn")
    parser.add_argument("--rows", type=int, default=64, help="training rows; a quarter of it are validated")
    options = parser.parse_args()
    data = emoji(options.rows)
    encoders = {"image": {"name": "cnn", "hidden": [8]}, "text": {"name": "transformers", "model": options.model}}
    model = eq.Classifier.for_data(data, encoders)  # trains on from run to run, which changes no time
    with tempfile.TemporaryDirectory() as cache:
        _, filling = epochs(data, model, 1, cache)
        ratios, cached, encoded = [], [], []
        for _ in range(options.rounds):
            cached.append(statistics.median(epochs(data, model, 11, cache)[0][1:]))
            encoded.append(statistics.median(epochs(data, model, 2, None)[0][1:]))
            ratios.append(encoded[-1] / cached[-1])
    print(f"{len(data.train)} training rows, {len(data.validation)} of validation, {torch.get_num_threads()} threads")
    print(f"  filling the cache, once   {filling:9.3f} s")
    print(f"  an epoch with the cache   {statistics.median(cached):9.4f} s")
    print(f"  an epoch that encodes     {statistics.median(encoded):9.3f} s")
    print(f"  ratio                     {statistics.median(ratios):9.0f}   {min(ratios):.0f} to {max(ratios):.0f}")


if __name__ == "__main__":
    main()
