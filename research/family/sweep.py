"""The sweep: from no interaction to nothing else, over the strength of the last modality, methods and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.comparison.compare import run_comparison
from equimodal.comparison.jobs import Workers
from equimodal.comparison.result import Result
from equimodal.config.run import RunConfig, build_config
from equimodal.contribution.diagnose import diagnose
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, RunError
from equimodal.files import safe_name
from equimodal.training.names import NAMES
from equimodal.training.run import load
from research.family.design import BITS, WEAKNESSES, Design, Rest, place
from research.family.sample import SIZES, splits

METHODS: tuple[dict[str, Any], ...] = (
    {"label": "joint", "name": "joint"},
    {"label": "joint mlp", "name": "joint", "fusion": "mlp"},
    {"label": "joint memory", "name": "joint", "fusion": "memory"},
    {"label": "uniform mlp", "name": "uniform", "fusion": "mlp"},
    {"label": "ensemble of logits", "name": "unimodal_ensemble", "average": "logits"},
    {"label": "alternating", "name": "alternating"},
    {"label": "alternating fitted", "name": "alternating", "pool": "fitted"},
    {"label": "equilibrium", "name": "equilibrium"},
    {"label": "paper", "name": "paper"},
)
"""The methods, as a configuration writes them."""
DIAGNOSED = ("joint", "joint mlp", "alternating", "equilibrium")
"""Labels of the methods whose models are diagnosed in log-likelihood gain too."""
TRAINING = {"epochs": 20, "batch_size": 128, "learning_rate": 0.005}
MODEL = {"width": 64}


@dataclass(frozen=True)
class Sweep:
    """What is run.

    Args:
        interactions: numbers of bits that are interactions.
        weaknesses: strengths of the last modality.
        methods: labels among those of `METHODS`.
        seeds: how many. Each seed has rows, initial weights and batches of its own, which all methods share.
        bits: of the label.
        modalities: 2 or 3.
        rest: kind of the bits that are no interactions.
        sizes: rows for training, validation and test.
        training: options of `equimodal.config.run.TrainingConfig`.

    Raises:
        ConfigError: there is no such method, or nothing to run.
    """

    interactions: tuple[int, ...] = tuple(range(BITS + 1))
    weaknesses: tuple[float, ...] = WEAKNESSES
    methods: tuple[str, ...] = tuple(method["label"] for method in METHODS)
    seeds: int = 10
    bits: int = BITS
    modalities: int = 2
    rest: Rest = "unique"
    sizes: tuple[int, int, int] = SIZES
    training: dict[str, Any] = field(default_factory=lambda: dict(TRAINING))

    def __post_init__(self) -> None:
        known = [method["label"] for method in METHODS]
        problems = [
            f"methods: no method is called '{label}'. Choose from {'; '.join(known)}."
            for label in self.methods
            if label not in known
        ]
        for name, values in {
            "interactions": self.interactions,
            "weaknesses": self.weaknesses,
            "methods": self.methods,
        }.items():
            if not values or len(set(values)) < len(values):
                problems.append(f"{name}: expected one or more different values, got {values}.")
        if self.seeds < 1:
            problems.append(f"seeds: expected at least 1, got {self.seeds}.")
        if problems:
            raise ConfigError(problems)
        list(self.places())  # mistakes in an argument are reported before the first run

    def places(self) -> Iterator[tuple[int, float, Design]]:
        """Yield each place: interactions, strength of the last modality, and the problem."""
        for weak in self.weaknesses:
            for interactions in self.interactions:
                made = place(interactions, weak, bits=self.bits, modalities=self.modalities, rest=self.rest)
                yield interactions, weak, made


@dataclass(frozen=True)
class Found:
    """The numbers of one run.

    Args:
        interactions: bits that are interactions.
        share: of the bits.
        weak: strength of the last modality.
        method: label.
        seed: of rows and training.
        accuracy: on test.
        alone: accuracy of each modality alone.
        smallest_utilisation: over the modalities; None where undefined.
        edm: None where undefined.
        interaction_accuracy: mean over pairs of the Shapley interaction in accuracy, on test.
        interaction_likelihood: the same in log-likelihood gain (nats), as `diagnose` measures it on test; None where
            the model was not diagnosed.
    """

    interactions: int
    share: float
    weak: float
    method: str
    seed: int
    accuracy: float
    alone: dict[str, float]
    smallest_utilisation: float | None
    edm: float | None
    interaction_accuracy: float
    interaction_likelihood: float | None

    def record(self) -> dict[str, Any]:
        """Return one line of a table."""
        fields = {name: value for name, value in vars(self).items() if name != "alone"}
        return fields | {f"alone.{name}": value for name, value in self.alone.items()}


def run(sweep: Sweep, out: Path, *, workers: Workers = 1) -> Iterator[Found]:
    """Run a sweep and yield the numbers of every run, place by place and seed by seed.

    Each seed of a place is a comparison of its own, on rows drawn for it: seeds are independent of each other, and
    intervals are Student's. Finished runs in `out` are kept, and an interrupted one resumes.

    Args:
        sweep: what to run.
        out: folder of the runs.
        workers: processes that train in parallel.

    Raises:
        RunError: `out` holds something else, or a run failed or diverged.
        Interrupted: Ctrl-C; the same call resumes.
    """
    for interactions, weak, design in sweep.places():
        for seed in range(sweep.seeds):
            data = splits(design, seed, sweep.sizes)
            folder = out / _name(sweep, interactions, weak) / f"data-{seed}"
            comparison = run_comparison(_config(sweep, data, seed), data, out=folder, workers=workers, quiet=True)
            if comparison.failures:
                first = comparison.failures[0]
                raise RunError(f"{folder}: {first.method} diverged: {first.reason}")
            for method in sweep.methods:
                for result in comparison.results[method]:
                    at = folder / safe_name(method) / f"seed-{seed}"
                    likelihood = _diagnosed(at, data) if method in DIAGNOSED else None
                    yield _found(result, sweep, interactions, weak, likelihood)


def _name(sweep: Sweep, interactions: int, weak: float) -> str:
    return f"{sweep.modalities}-modalities-{sweep.rest}-{interactions}-of-{sweep.bits}-weak-{weak:g}"


def _config(sweep: Sweep, data: Splits[Dataset], seed: int) -> RunConfig:
    methods = [method for method in METHODS if method["label"] in sweep.methods]
    content = {
        "data": {"name": data.name},
        "model": MODEL,
        "training": sweep.training,
        "compare": {"methods": methods, "seeds": 1, "redraw": "none"},
        "seed": seed,
    }
    return build_config(content, NAMES)


def _diagnosed(folder: Path, data: Splits[Dataset]) -> float:
    """Return the interaction in log-likelihood gain that a practitioner reads from `diagnose`."""
    found = diagnose(load(folder).model, data.test, value="log_likelihood_gain", bootstrap=0)
    return _mean(found.interactions)


def _mean(interactions: dict[str, float] | None) -> float:
    return float(np.mean(list((interactions or {}).values())))


def _found(result: Result, sweep: Sweep, interactions: int, weak: float, likelihood: float | None) -> Found:
    numbers = result.columns()
    return Found(
        interactions=interactions,
        share=interactions / sweep.bits,
        weak=weak,
        method=result.method,
        seed=result.seed,
        accuracy=result.test["accuracy"],
        alone={name: scores["accuracy"] for name, scores in result.test["unimodal"].items()},
        smallest_utilisation=numbers["smallest_utilisation"],
        edm=numbers["edm"],
        interaction_accuracy=_mean(result.test["contribution"]["interactions"]),
        interaction_likelihood=likelihood,
    )
