"""Comparisons with numbers of one's choice, without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equimodal.comparison.comparison import Comparison
from equimodal.comparison.result import Result


def comparison(accuracies: Mapping[str, Sequence[float]], redraw: str = "split", edm: float = 0.3) -> Comparison:
    """Return a comparison of methods by their accuracies, one per seed; 100 training and 50 test rows."""
    results = {}
    for method, values in accuracies.items():
        results[method] = tuple(
            Result(
                method=method,
                seed=seed,
                test={
                    "accuracy": accuracy,
                    "macro_f1": accuracy,
                    "loss": 1.0,
                    "ece": 0.1,
                    "unimodal": {"a": {"accuracy": accuracy}, "b": {"accuracy": 0.5}},
                    "subsets": {"": 0.3, "a": accuracy, "b": 0.5, "a+b": accuracy},
                    "subset_mean": accuracy,
                    "contribution": {"edm": edm},
                    "utilisation": {"a": 1.0, "b": 0.5},
                },
                validation_accuracy=accuracy,
                best_epoch=1,
                updates={"a": 10, "b": 10},
                seconds=1.0,
                sizes={"train": 100, "validation": 50, "test": 50},
                reference={"validation": {"a": 0.5, "b": 0.5}, "test": {"a": 0.5, "b": 0.5}},
            )
            for seed, accuracy in enumerate(values)
        )
    methods = tuple(accuracies)
    seeds = tuple(range(len(next(iter(accuracies.values())))))
    return Comparison(methods, seeds, ("a", "b"), results, redraw, {"data": "toy", "configuration": {}})
