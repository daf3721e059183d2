"""The outcome of a comparison: every run's numbers, and the table that follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equimodal.comparison.primary import Decision, declared_decisions
from equimodal.comparison.reading import reading
from equimodal.comparison.record import read_record, write_record
from equimodal.comparison.tables import caption, comparison_tables
from equimodal.config.yaml import read_yaml_file
from equimodal.errors import ConfigError, RunError, did_you_mean
from equimodal.files import write_text
from equimodal.statistics.estimates import Estimate, estimate, paired
from equimodal.statistics.permutation import holm, permutation_p
from equimodal.statistics.resampling import resampled_interval
from equimodal.tables.csv import as_csv
from equimodal.tables.latex import as_latex
from equimodal.tables.markdown import as_markdown
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.training.history import read_history
from equimodal.training.measure import unpack
from equimodal.training.memory import highest

if TYPE_CHECKING:
    from equimodal.training.run import Run

FILE = "comparison.json"


@dataclass(frozen=True)
class Result:
    """The numbers of one run of a comparison.

    Args:
        method: the method's label.
        seed: the run's seed.
        test: :meth:`Measurement.to_dict` of the test part.
        validation_accuracy: accuracy on the whole validation part, with the best weights.
        best_epoch: the epoch whose weights were kept.
        updates: optimiser steps that each modality's encoder took.
        seconds: of training, without validation.
        sizes: samples of the training, validation and test part; as ``pool`` those of the training part before
            labels were left out.
        reference: value of each modality in the seed's unimodal ensemble, by split: what utilisation is
            relative to.
        memory: highest memory of training in MiB, see :class:`~equimodal.training.memory.PeakMemory`; None where it
            is not known.
    """

    method: str
    seed: int
    test: dict[str, Any]
    validation_accuracy: float
    best_epoch: int
    updates: dict[str, int]
    seconds: float
    sizes: dict[str, int]
    reference: dict[str, dict[str, float]]
    memory: float | None = None

    @classmethod
    def from_run(cls, run: Run, split: Mapping[str, Any]) -> Result:
        """Return the numbers of a run that has just finished, on a split of this provenance."""
        metrics = {
            "seed": run.config.seed,
            "best_epoch": run.best_epoch,
            "reference": run.reference,
            "validation": run.validation.to_dict(),
            "test": run.test.to_dict(),
        }
        return cls._assemble(run.config.method.label, metrics, run.history, split)

    @classmethod
    def from_folder(cls, folder: Path, method: str) -> Result:
        """Return the numbers of a finished run from its folder, without loading its model.

        Raises:
            RunError: a file is missing or damaged.
        """
        try:
            metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            config = read_yaml_file(folder / "config.yaml")
            history = read_history(folder / "history.jsonl")
            return cls._assemble(method, metrics, history, config["provenance"]["split"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{folder}: a file of the run is missing or damaged ({error}). Delete the folder to train it anew."
            ) from error

    @classmethod
    def _assemble(
        cls,
        method: str,
        metrics: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        split: Mapping[str, Any],
    ) -> Result:
        modalities = metrics["test"]["unimodal"]
        sizes = split["sizes"]
        return cls(
            method=method,
            seed=metrics["seed"],
            test=metrics["test"],
            validation_accuracy=metrics["validation"]["accuracy"],
            best_epoch=metrics["best_epoch"],
            updates={name: sum(line["updates"].get(name, 0) for line in history) for name in modalities},
            seconds=sum(line["seconds"]["train"] for line in history),
            sizes={**sizes, "pool": split.get("pool", sizes["train"])},
            reference={split: dict(values) for split, values in metrics["reference"].items()},
            memory=highest(history),
        )

    def columns(self) -> dict[str, float | None]:
        """Return the run's numbers by column (see :attr:`Comparison.columns`); None where undefined."""
        test = self.test
        used = test["utilisation"] or dict.fromkeys(test["unimodal"])
        known = [value for value in used.values() if value is not None]
        return {
            "accuracy": test["accuracy"],
            "macro_f1": test["macro_f1"],
            "loss": test["loss"],
            "ece": test["ece"],
            **{f"unimodal.{name}": scores["accuracy"] for name, scores in test["unimodal"].items()},
            "edm": test["contribution"]["edm"],
            **{f"utilisation.{name}": value for name, value in used.items()},
            "smallest_utilisation": min(known, default=None),
            "subset_mean": test["subset_mean"],
            "missing_mean": self._missing_mean(),
            "updates": float(sum(self.updates.values())),
            "seconds": self.seconds,
            "memory": self.memory,
        }

    def _missing_mean(self) -> float | None:
        n = len(self.test["unimodal"])
        proper = [value for name, value in self.test["subsets"].items() if name and name.count("+") < n - 1]
        return float(np.mean(proper)) if proper else None


@dataclass(frozen=True)
class Comparison:
    """Methods by seeds.

    Args:
        methods: labels; the first is the baseline of all differences.
        seeds: each gave every method one run on the same split, from the same initial encoders.
        modalities: names.
        results: for each label its runs, in the order of ``seeds``.
        redraw: "split" where each seed drew its own splits, "none" where all share one.
        provenance: data, configuration and its hash, command, versions.

    Example:
        >>> table = load_comparison("comparisons/emoji")  # doctest: +SKIP
        >>> print(table)  # doctest: +SKIP
        >>> table.values("equilibrium", "edm")  # doctest: +SKIP
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    modalities: tuple[str, ...]
    results: dict[str, tuple[Result, ...]]
    redraw: str
    provenance: dict[str, Any]

    @property
    def baseline(self) -> str:
        """Label of the method that the differences are taken against."""
        return self.methods[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns.

        On test: ``accuracy``, ``macro_f1``, ``loss`` (negative log-likelihood), ``ece``,
        ``unimodal.<modality>`` (its accuracy alone), ``edm``, ``utilisation.<modality>``,
        ``smallest_utilisation`` (over those defined), ``subset_mean`` (mean accuracy over all subsets of
        modalities but the empty one) and ``missing_mean`` (but the empty one and the whole: something is missing).
        Of training: ``updates`` (steps of all encoders together), ``seconds`` (without validation) and ``memory``
        (highest, in MiB).
        """
        return tuple(self.results[self.baseline][0].columns())

    @property
    def overlap(self) -> float:
        """What the variance of correlated seeds is corrected by: n_test / n_train, or 0 on one fixed split.

        n_train counts the training part before labels are left out. What redrawn splits share is the more, the larger
        the share of all rows that test takes, and that is not changed by using few of the others: seeds of few labels
        share fewer training rows, not more.
        """
        if self.redraw == "none":
            return 0.0
        sizes = [result.sizes for result in self.results[self.baseline]]
        return float(np.mean([size["test"] / size.get("pool", size["train"]) for size in sizes]))

    def values(self, method: str, column: str) -> list[float | None]:
        """Return one column of one method, a value a seed; None where it is undefined.

        Raises:
            ConfigError: there is no such method or column.
        """
        if method not in self.results:
            raise ConfigError(f"No method '{method}' in this comparison.{did_you_mean(method, self.methods)}")
        if column not in self.columns:
            raise ConfigError(f"No column '{column}' in this comparison.{did_you_mean(column, self.columns)}")
        return [result.columns()[column] for result in self.results[method]]

    def summary(self, method: str, column: str) -> Estimate:
        """Return what the seeds say about one column of one method.

        The interval is Student's t, corrected for redrawn splits (see :func:`estimate`); that of accuracy on a fixed
        split draws seeds and test groups anew (see :func:`resampled_interval`).

        Raises:
            ConfigError: there is no such method or column.
        """
        found = estimate(self.values(method, column), self.overlap)
        return self.resampled(found, self.right(method)) if column == "accuracy" else found

    def difference(self, method: str, against: str, column: str) -> Estimate:
        """Return what the seeds say about a method's column minus another's, paired by seed; see :meth:`summary`.

        Raises:
            ConfigError: there is no such method or column.
        """
        found = estimate(paired(self.values(method, column), self.values(against, column)), self.overlap)
        one, other = self.right(method), self.right(against)
        if column != "accuracy" or one is None or other is None:
            return found
        return self.resampled(found, one - other)

    def right(self, method: str) -> np.ndarray | None:
        """Return 1 where a seed's model is right (J, N), on a fixed split and where that is known."""
        if self.redraw == "split" or len(self.seeds) < 2:
            return None
        known = [result.test for result in self.results[method]]
        if any(test.get("right") is None for test in known):
            return None
        return np.stack([unpack(test["right"], test["samples"]) for test in known]).astype(float)

    def resampled(self, found: Estimate, scores: np.ndarray | None) -> Estimate:
        """Return the estimate with the interval of scores (J, N) whose seeds and test groups are both drawn anew."""
        if scores is None:
            return found
        groups = self.provenance.get("test_groups") or np.arange(scores.shape[1])
        low, high = resampled_interval(scores, groups)
        return replace(found, low=low, high=high)

    def table(self) -> list[dict[str, Any]]:
        """Return one row a method: ``method``, and under each column's name what the seeds say about it.

        That is a dict of ``mean``, ``low``, ``high`` (95% interval), ``median``, ``count``, ``undefined``
        (seeds in which it is not defined), and ``difference``: the same of the paired differences to the
        baseline (None in the baseline's own row). The difference in accuracy has also ``p`` (exact paired
        permutation) and ``p_holm`` (corrected for the number of methods set against the baseline).
        """
        rows = []
        for method in self.methods:
            row: dict[str, Any] = {"method": method}
            for column in self.columns:
                row[column] = {**asdict(self.summary(method, column)), "difference": None}
                if method != self.baseline:
                    row[column]["difference"] = asdict(self.difference(method, self.baseline, column))
            rows.append(row)
        against = [row["accuracy"]["difference"] for row in rows[1:]]
        p_values = [permutation_p(self._accuracy_differences(row["method"])) for row in rows[1:]]
        for difference, p, corrected in zip(against, p_values, holm(p_values), strict=True):
            difference |= {"p": p, "p_holm": corrected}
        return rows

    def decisions(self) -> list[Decision]:
        """Return the outcome of the comparisons declared beforehand (`compare.primary` of the configuration)."""
        return declared_decisions(self)

    def _accuracy_differences(self, method: str) -> list[float]:
        differences = paired(self.values(method, "accuracy"), self.values(self.baseline, "accuracy"))
        return [difference for difference in differences if difference is not None]

    def tables(self) -> list[Table]:
        """Return the numbers as tables: accuracy, modalities alone, balance, calibration, cost."""
        return comparison_tables(self)

    def __str__(self) -> str:
        return as_text(self.tables(), reading(self))

    def to_markdown(self) -> str:
        """Return the tables as Markdown, and how to read them."""
        return as_markdown(self.tables(), reading(self))

    def to_latex(self) -> str:
        """Return the tables as LaTeX floats with booktabs rules, and captions that say how to read them."""
        return as_latex(self.tables(), caption(self), str(self.provenance.get("data", "data")))

    def to_csv(self, path: str | Path) -> Path:
        """Write every run as one line: method, seed, validation accuracy, best epoch, all columns, updates.

        These are the raw numbers, from which any program can repeat the statistics; an undefined one is an empty cell.
        The updates of each modality's encoder are under `updates.<modality>`.
        """
        records = [
            {
                "method": method,
                "seed": result.seed,
                "validation_accuracy": result.validation_accuracy,
                "best_epoch": result.best_epoch,
                **result.columns(),
                **{f"updates.{name}": result.updates[name] for name in self.modalities},
            }
            for method in self.methods
            for result in self.results[method]
        ]
        write_text(Path(path), as_csv(table_of_records("Runs", records)), then="write it again")
        return Path(path)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-safe values."""
        return {
            "methods": list(self.methods),
            "seeds": list(self.seeds),
            "modalities": list(self.modalities),
            "redraw": self.redraw,
            "provenance": self.provenance,
            "results": [asdict(result) for method in self.methods for result in self.results[method]],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Comparison:
        """Return the comparison that :meth:`to_dict` wrote."""
        results = [Result(**fields) for fields in plain["results"]]
        return cls(
            methods=tuple(plain["methods"]),
            seeds=tuple(plain["seeds"]),
            modalities=tuple(plain["modalities"]),
            results={
                method: tuple(result for result in results if result.method == method) for method in plain["methods"]
            },
            redraw=plain["redraw"],
            provenance=plain["provenance"],
        )

    def save(self, folder: str | Path) -> Path:
        """Write ``comparison.json`` into a folder, whole or not at all."""
        return write_record(Path(folder) / FILE, self.to_dict())


def load_comparison(folder: str | Path) -> Comparison:
    """Return the comparison that a folder holds.

    Raises:
        RunError: there is none, or its file is damaged.
    """
    return read_record(Path(folder) / FILE, "comparison", Comparison.from_dict)
