"""What each method costs, as a multiple of joint training, beside what its definition implies.

Training time alone, without validation, of a short run with two ResNet-18-sized encoders, where encoders are nearly all
of the work. All methods are timed in turn, several rounds in one process, because machines are noisy. What a
definition implies is a number of encoder passes, forward and backward, and for OGM-GE a Gaussian number a weight and
step, set against joint training's one pass of each; how dear each of them is, is measured in the same round. Run by
`make bench-methods`; `--parts` times `equilibrium` with each part of the ablation switched.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from epoch_cost import BATCH, resnet_case

import equimodal as eq
from equimodal.analyses.ablation import Ablation
from equimodal.config.method import parse_method
from equimodal.config.run import build_config
from equimodal.data.splits import Splits
from equimodal.training.fit import set_up

EPOCHS = 4
BOUND = 1.2
"""Most that a method may cost beyond what its definition implies."""


@dataclass(frozen=True)
class Implied:
    """Work an epoch: encoder passes (joint training has one of each), Gaussian numbers a weight and step, and why."""

    forward: float
    backward: float
    why: str = ""
    draws: float = 0.0

    def against_joint(self, work: Work) -> float:
        """Return the cost as a multiple of joint training's."""
        total = self.forward * work.forward + self.backward * work.backward + self.draws * work.draws
        return total / (work.forward + work.backward)


@dataclass
class Work:
    """Seconds an epoch of a forward pass, a backward pass, and a Gaussian number for each weight at each step."""

    forward: float = 0.0
    backward: float = 0.0
    draws: float = 0.0


def _copies(rows: float) -> Implied:
    """Return the passes of resampling: every copy has one of the two modalities; values take a forward pass."""
    share = 1 + (rows - 1) / 2
    return Implied(share + 1, share, f"rows x {rows:.2f}, values")


KEPT = 0.8 + 0.2 * 0.2 / 2  # two modalities hidden with .2 each, one kept at least
CASES: dict[str, Callable[[float], Implied]] = {
    "joint": lambda rows: Implied(1, 1),
    "uniform": lambda rows: Implied(1, 1),
    "modality_dropout": lambda rows: Implied(KEPT, KEPT, "hidden entries are not encoded"),
    "unimodal_ensemble": lambda rows: Implied(1, 1),
    "alternating": lambda rows: Implied(1, 1),
    "paper": lambda rows: Implied(1, 1),
    "equilibrium": lambda rows: Implied(1, 1),
    "ogm_ge": lambda rows: Implied(1, 1, "noise for every weight", draws=1),
    "agm": lambda rows: Implied(1, 1),
    "pmr": lambda rows: Implied(1, 1),
    "g_blending:super_epoch=2": lambda rows: Implied(3 * 0.8 + 4 / 2, 3 * 0.8, "trials, and losses of every task"),
    "mm_pareto": lambda rows: Implied(1, 2, "gradients of two losses"),
    "mla": lambda rows: Implied(1, 1),
    "recon_boost:stage_epochs=1,rectify_epochs=1": lambda rows: Implied(1, 0.75, "one encoder in half the epochs"),
    "modality_valuation:warmup=0": _copies,
    "lfm": lambda rows: Implied(1, 2, "gradients of two losses"),
    "umt": lambda rows: Implied(2 + 1 / EPOCHS, 2, "teachers first"),
    "info_reg": lambda rows: Implied(1, 1),
    "opm": lambda rows: Implied(1, 1),
    "cml": lambda rows: Implied(1, 1),
    "mm_cosine": lambda rows: Implied(1, 1),
}


def parts_of_the_method() -> dict[str, Any]:
    """Return plain alternating training, and the method as it is and with each part of the ablation switched."""
    arms, _ = Ablation([parse_method("equilibrium")]).arms(("front", "side"))
    return {"alternating": "alternating", **{arm.words: arm.method.to_dict() for arm in arms}}


def train_seconds(data: Splits, encoders: dict[str, torch.nn.Module], method: Any) -> tuple[float, float]:
    """Return the training seconds of a whole run an epoch, and the rows of an epoch as a multiple of the data."""
    config = build_config(
        {
            "method": method,
            "training": {"epochs": EPOCHS, "batch_size": BATCH},
            "measure": {"bootstrap": 0, "probe": 8},
            "reference": False,
        }
    )
    trainer = set_up(config, data, eq.Classifier.for_data(data, encoders))
    sizes: list[int] = []
    choose = trainer.method.training_data

    def counted(train):  # what a run trains on is known only as it runs
        rows = choose(train)
        sizes.append(len(rows))
        return rows

    trainer.method.training_data = counted
    trainer.run()
    total = sum(line["seconds"]["train"] for line in trainer.history.lines)
    return total / EPOCHS, statistics.mean(sizes) / len(data.train)


def work_seconds(data: Splits, encoders: dict[str, torch.nn.Module]) -> Work:
    """Return what the parts of an epoch's work take, for all encoders over the training rows."""
    work = Work()
    for batch in data.train.batches(BATCH):
        for name, encoder in encoders.items():
            started = time.perf_counter()
            out = encoder(batch.inputs[name])
            forwarded = time.perf_counter()
            out.sum().backward()
            back = time.perf_counter()
            for weight in encoder.parameters():
                torch.randn_like(weight)
            work.forward += forwarded - started
            work.backward += back - forwarded
            work.draws += time.perf_counter() - back
            encoder.zero_grad()
    return work


def main() -> None:
    """Time every method and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="how often each method is timed, in turn")
    parser.add_argument("--only", nargs="*", default=[], help="methods beside joint; all by default")
    parser.add_argument("--parts", action="store_true", help="time the parts of equilibrium, in place of methods")
    options = parser.parse_args()
    data, encoders = resnet_case()
    wanted = {"joint", *options.only}
    methods: dict[str, Any] = {name: name for name in CASES if not options.only or name.partition(":")[0] in wanted}
    if options.parts:
        methods = {"joint": "joint", **parts_of_the_method()}
    cases = {name: CASES.get(name, CASES["joint"]) for name in methods}
    ratios: dict[str, list[float]] = {name: [] for name in cases}
    implied: dict[str, list[float]] = {name: [] for name in cases}
    work = Work()
    train_seconds(data, encoders, "joint")  # the first run of a process is slow
    for _ in range(options.rounds):
        work = work_seconds(data, encoders)
        joint = 0.0
        for name, case in cases.items():
            seconds, rows = train_seconds(data, encoders, methods[name])
            joint = joint or seconds
            ratios[name].append(seconds / joint)
            implied[name].append(case(rows).against_joint(work))
    print(f"two ResNet-18, {len(data.train)} training rows, batch {BATCH}, {torch.get_num_threads()} threads")
    parts = f"forward {work.forward:.1f} s, backward {work.backward:.1f} s, draws {work.draws:.1f} s"
    print(f"  {'':32}{'x joint':>9}{'implied':>9}{'over':>7}   ({parts})")
    for name in cases:
        measured, expected = statistics.median(ratios[name]), statistics.median(implied[name])
        over = measured / expected
        note = "  above the bound" if over > BOUND else ""
        print(f"  {name.partition(':')[0]:32}{measured:9.2f}{expected:9.2f}{over:7.2f}   {cases[name](1).why}{note}")


if __name__ == "__main__":
    main()
