"""What an epoch costs, as a multiple of plain PyTorch joint training with the same encoders.

Both include their validation pass; ours include the Shapley probe, bootstrap, history and selection. All methods
are timed in turn, several rounds in one process, because machines are noisy; the table gives the median ratio and
its range. Run by `make bench`; `--rounds` and `--epochs` make it longer, `--accelerator cuda` times a GPU
(with `--samples 4000` or so: a few batches do not keep one busy).
"""

from __future__ import annotations

import argparse
import copy
import itertools
import statistics
import time

import numpy as np
import torch
from torch import Tensor, nn

import equimodal as eq
from equimodal.config.run import build_config
from equimodal.data.catalogue import load
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.methods.base import METHODS
from equimodal.training.fit import prepare_with_seed
from equimodal.training.loop import Trainer
from equimodal.training.progress import Quiet

METHODS_TIMED = ("joint", "alternating", "paper", "equilibrium")
BATCH = 64


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut, as in ResNet-18, with group normalisation."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.GroupNorm(8, after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.GroupNorm(8, after),
        )
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet18(nn.Module):
    """A network like ResNet-18 for (B, H, W, C) images: of its size (11 million parameters) with its width of 64."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = [width * factor for factor in (1, 1, 1, 2, 2, 4, 4, 8, 8)]
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.blocks = nn.Sequential(
            *(Residual(before, after, 2 if after > before else 1) for before, after in itertools.pairwise(sizes))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(torch.relu(self.stem(x.permute(0, 3, 1, 2).float() / 255))).mean((2, 3))


def resnet_case(samples: int = 420, width: int = 64) -> tuple[Splits, dict[str, nn.Module]]:
    """Two image modalities of random pixels, 61% of them for training: only time is measured."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(0, 256, (samples, 32, 32, 3), dtype=np.uint8) for name in ("front", "side")}
    data = Dataset(arrays, np.arange(samples) % 6).split(seed=0, fractions=(0.61, 0.19, 0.2))
    return data, {"front": ResNet18(width), "side": ResNet18(width)}


def emoji_case() -> tuple[Splits, dict[str, nn.Module]]:
    """The demo's data with the built-in encoders."""
    return load("emoji"), {}


def plain_epochs(data: Splits, encoders: dict[str, nn.Module], epochs: int, accelerator: str) -> list[float]:
    """Train jointly as a user would without this library; return the seconds of each epoch."""
    device = torch.device(accelerator)
    model = eq.Classifier.for_data(data, copy.deepcopy(encoders)).to(device)
    head = nn.Linear(model.width * len(data.modalities), len(data.classes), device=device)
    train, validation = model.prepare(data.train), model.prepare(data.validation)
    parameters = [*model.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3, fused=True)
    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        model.train()
        order = torch.randperm(len(train)).numpy()
        for start in range(0, len(train), BATCH):
            batch = train.batch(order[start : start + BATCH]).to(device)
            optimiser.zero_grad()
            logits = head(torch.cat([model.encode_one(batch, m) for m in data.modalities], dim=1))
            nn.functional.cross_entropy(logits, batch.labels).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
        model.eval()
        with torch.no_grad():
            for rows in validation.batches(256):
                batch = rows.to(device)
                logits = head(torch.cat([model.encode_one(batch, m) for m in data.modalities], dim=1))
                float((logits.argmax(1) == batch.labels).float().mean())
        seconds.append(time.perf_counter() - started)
    return seconds


def our_epochs(data: Splits, encoders: dict[str, nn.Module], method: str, epochs: int, accelerator: str) -> list[float]:
    """Train by one of our methods; return the seconds of each epoch, probe and all."""
    training = {"epochs": epochs, "batch_size": BATCH, "accelerator": accelerator}
    config = build_config({"method": method, "training": training})
    model = eq.Classifier.for_data(data, copy.deepcopy(encoders))
    method_class = METHODS.get(config.method.name)
    options = method_class.Config.model_validate(config.method.options)
    prepare_with_seed(model, method_class, options, seed=0)
    prepared = Splits(model.prepare(data.train), model.prepare(data.validation), model.prepare(data.test))
    trainer = Trainer(method_class(model, options), prepared, config, None, Quiet())
    trainer.run()
    return [line["seconds"]["train"] + line["seconds"]["probe"] for line in trainer.history.lines]


def main() -> None:
    """Time every case and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each method is timed, in turn")
    parser.add_argument("--epochs", type=int, default=3, help="epochs a round; a first one is not counted")
    parser.add_argument("--accelerator", default="cpu", choices=("cpu", "cuda"), help="where both train")
    parser.add_argument("--samples", type=int, default=420, help="of the random images")
    parser.add_argument("--case", default="", help="only cases whose title has this in it")
    options = parser.parse_args()
    cases = {
        "emoji, built-in encoders": emoji_case(),
        "random images, two of 1.6 million parameters": resnet_case(options.samples, width=24),
        "random images, two ResNet-18": resnet_case(options.samples),
    }
    for title, (data, encoders) in cases.items():
        if options.case not in title:
            continue
        seconds: dict[str, list[float]] = {name: [] for name in ("plain", *METHODS_TIMED)}
        for _ in range(options.rounds):
            for name in seconds:
                if name == "plain":
                    times = plain_epochs(data, encoders, options.epochs + 1, options.accelerator)
                else:
                    times = our_epochs(data, encoders, name, options.epochs + 1, options.accelerator)
                seconds[name].append(statistics.median(times[1:]))
        print(f"\n{title} ({len(data.train)} training samples, batch {BATCH}, {torch.get_num_threads()} threads)")
        print(f"  {'':14}{'s/epoch':>8}{'x plain':>9}   range of the rounds   x alternating")
        for name, each in seconds.items():
            ratios, beside = ([a / b for a, b in zip(each, seconds[o], strict=True)] for o in ("plain", "alternating"))
            print(
                f"  {name:14}{statistics.median(each):8.2f}{statistics.median(ratios):9.2f}"
                f"   {min(ratios):.2f} to {max(ratios):.2f}{statistics.median(beside):22.2f}"
            )


if __name__ == "__main__":
    main()
