"""Runs and comparisons made up from known numbers: nothing is trained here."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import torch

from equimodal.comparison.comparison import Comparison
from equimodal.comparison.result import Result
from equimodal.config.run import build_config
from equimodal.contribution.coalitions import coalition_name
from equimodal.contribution.measure import contribution
from equimodal.contribution.shapley import plan
from equimodal.models.classifier import Classifier
from equimodal.training.ability import Ability
from equimodal.training.measure import Measurement
from equimodal.training.run import Run


def measurement(
    names: Sequence[str],
    alone: Sequence[float],
    *,
    empty: float = 0.2,
    fused: float = 0.8,
    reference: Sequence[float] | None = None,
    samples: int = 1000,
    split: str = "test",
) -> Measurement:
    """A measurement whose coalitions score the best of their members; all together `fused`."""
    n = len(names)
    scheme = plan(n)
    members = [[i for i in range(n) if row[i]] for row in scheme.coalitions.tolist()]
    each = [fused if len(those) == n else max((alone[i] for i in those), default=empty) for those in members]
    values = torch.tensor(each, dtype=torch.float64)
    found = contribution(values, scheme, None, list(names), split=split)
    subsets = {coalition_name(row, names): v for row, v in zip(scheme.coalitions, values.tolist(), strict=True)}
    used = None
    if reference is not None:
        pairs = zip(names, alone, reference, strict=True)
        used = {m: (a - empty) / (r - empty) if r > empty else None for m, a, r in pairs}
    return Measurement(
        split=split,
        samples=samples,
        scores={"accuracy": fused, "macro_f1": fused - 0.011, "loss": 0.7123, "ece": 0.0456},
        unimodal={
            m: {"accuracy": a, "macro_f1": a - 0.022, "loss": 1.5, "ece": 0.1}
            for m, a in zip(names, alone, strict=True)
        },
        subsets=subsets,
        alone=dict(zip(names, alone, strict=True)),
        contribution=found,
        utilisation=used,
    )


def made_model(trust: dict[str, float] | None = None) -> Classifier:
    """A model of which nothing but the weights of its pool is ever read."""
    return cast(Classifier, SimpleNamespace(fusion=SimpleNamespace(trust=lambda: trust)))


def make_run(
    names: Sequence[str] = ("image", "text"),
    alone: Sequence[float] = (0.7, 0.4),
    *,
    reference: Sequence[float] | None = (0.72, 0.6),
    method: str = "equilibrium",
    epochs: int = 3,
    phases: Sequence[str] = ("train",),
    trials: Sequence[str] = (),
    data: str = "made-up",
    trust: dict[str, float] | None = None,
    **kwargs: Any,
) -> Run:
    test = measurement(names, alone, reference=reference, **kwargs)
    history = []
    for phase in phases:
        for epoch in range(epochs):
            early = measurement(names, [a - 0.03 * (epochs - 1 - epoch) for a in alone], split="validation", **kwargs)
            order = list(names)[:: 1 if epoch else -1] if method == "equilibrium" else None
            history.append(
                {
                    "epoch": len(history) + 1,
                    "phase": phase,
                    "order": order,
                    "train": {"loss": 1.0},
                    "updates": dict.fromkeys(names, 5),
                    "validation": early.to_dict(),
                    "trial": phase in trials,
                    "best": epoch != 2 and phase not in trials,
                    "seconds": {"train": 1.5, "probe": 0.1},
                    "memory": 300.0 + 10 * len(history),
                }
            )
    values = None if reference is None else Ability(dict(zip(names, reference, strict=True)))
    return Run(
        model=made_model(trust),
        config=build_config({"data": {"name": data}, "method": method, "seed": 7}),
        history=history,
        validation=test,
        test=test,
        reference=None if values is None else {"validation": values, "test": values},
    )


def make_comparison(
    methods: Sequence[str] = ("joint", "alternating", "equilibrium"),
    names: Sequence[str] = ("image", "text"),
    *,
    seeds: int = 4,
    fused: Sequence[float] = (0.70, 0.701, 0.78),
    weak: Sequence[float] = (0.3, 0.5, 0.55),
    empty: float = 0.2,
    wobble: float = 0.002,
    redraw: str = "split",
) -> Comparison:
    """Each method's accuracy moves a little with the seed, alternating's against joint's.

    The third method's `wobble` is what keeps its differences to joint from being the same for all seeds.
    """
    results = {}
    for i, method in enumerate(methods):
        runs = []
        for seed in range(seeds):
            shift = 0.01 * seed * (-1 if i == 1 else 1)
            own = wobble * (-1) ** seed * (i == 2)
            alone = [0.65, *[weak[i] + own] * (len(names) - 1)]
            test = measurement(names, alone, empty=empty, fused=fused[i] + shift + own, reference=[0.66] * len(names))
            runs.append(
                Result(
                    method=method,
                    seed=seed,
                    test=test.to_dict(),
                    validation_accuracy=0.7,
                    best_epoch=2,
                    updates=dict.fromkeys(names, 10),
                    seconds=1.0,
                    sizes={"train": 100, "validation": 50, "test": 50},
                    reference={"validation": {}, "test": {}},
                    memory=512.0 + seed,
                )
            )
        results[method] = tuple(runs)
    return Comparison(
        methods=tuple(methods),
        seeds=tuple(range(seeds)),
        modalities=tuple(names),
        results=results,
        redraw=redraw,
        provenance={
            "config": "abc123",
            "data": "made-up",
            "configuration": {"training": {"epochs": 7}},
            "command": None,
        },
    )
