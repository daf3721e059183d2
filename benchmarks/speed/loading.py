"""Samples per second that are read from a prepared folder, beside those that ResNet-18 trains on.

python benchmarks/speed/preparing.py --folder clips
python benchmarks/speed/loading.py clips/out

Batches are drawn at random from the memory maps, as in training, and put together in the same process. A step trains
the encoder `resnet18` on the frames (and a small one on the sound) with plain PyTorch. Both are timed in turn, in
seconds of computing, because machines are noisy; one thread each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import equimodal as eq
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_path
from equimodal.data.splits import Splits

BATCH = 64


def reading(data: Dataset, batches: int) -> float:
    """Return seconds of computing per batch that is put together."""
    generator = np.random.default_rng(0)
    began = time.process_time()
    for _ in range(batches):
        data.batch(np.sort(generator.choice(len(data), BATCH, replace=False)))
    return (time.process_time() - began) / batches


def training(data: Splits, batches: int) -> float:
    """Return seconds of computing per step, without putting its batch together."""
    model = eq.Classifier.for_data(data, {"video": "resnet18"}, fusion="late")
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)
    batch = data.train.batch(np.arange(BATCH))
    began = 0.0
    for step in range(batches + 1):
        if step == 1:  # the first one warms up
            began = time.process_time()
        optimiser.zero_grad()
        cross_entropy(model(batch), batch.labels).backward()
        optimiser.step()
    return (time.process_time() - began) / batches


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a prepared folder with a modality `video`")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = load_path(asked.folder)
    data = found if isinstance(found, Splits) else found.split()
    ratios = []
    for _ in range(asked.rounds):
        read, trained = reading(data.train, 50), training(data, 2)
        ratios.append(trained / read)
        print(f"read {BATCH / read:.0f} samples/s, train {BATCH / trained:.1f} samples/s", flush=True)
    print(f"ratio {statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")


if __name__ == "__main__":
    main()
