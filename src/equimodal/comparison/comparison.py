"""The outcome of a comparison: the numbers of every run, and the statistics over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.comparison.design import split_table, tuning_table
from equimodal.comparison.primary import Decision, declared_decisions
from equimodal.comparison.reading import reading
from equimodal.comparison.record import read_record, write_record
from equimodal.comparison.result import Failure, Result, column_names
from equimodal.comparison.tables import caption, comparison_tables
from equimodal.errors import ConfigError, did_you_mean
from equimodal.files import write_text
from equimodal.statistics.estimates import Estimate, estimate, paired
from equimodal.statistics.permutation import holm, permutation_p
from equimodal.statistics.resampling import resampled_interval
from equimodal.tables.csv import as_csv
from equimodal.tables.latex import as_latex
from equimodal.tables.markdown import as_markdown
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.training.measure import unpack

FILE = "comparison.json"


@dataclass(frozen=True)
class Comparison:
    """Methods by seeds.

    Args:
        methods: labels; the first is the baseline of all differences.
        seeds: in each seed every method has one run, on the same split and from the same initial encoders.
        modalities: names.
        results: for each label its finished runs, in the order of `seeds`.
        redraw: "split" if each seed drew its own split, "none" if all seeds share one.
        provenance: data, configuration and its hash, command, versions.
        failures: the runs that diverged, those of an unlisted unimodal ensemble included. A seed without a number is
            left out of the statistics of that method and column, and counted as undefined.

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
    failures: tuple[Failure, ...] = ()

    @property
    def baseline(self) -> str:
        """Label of the method that the differences are taken against."""
        return self.methods[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns.

        On test: `accuracy`, `macro_f1`, `loss` (negative log-likelihood), `ece`, `unimodal.<modality>` (accuracy of
        the modality alone), `edm`, `edm_ability` (against the shares in the unimodal ensemble),
        `utilisation.<modality>`, `smallest_utilisation` (over those defined), `subset_mean` (mean accuracy over all
        non-empty subsets of the modalities), `missing_mean` (over all subsets in which some modality is missing, but
        not all), `missing_30`, `missing_50`, `missing_70` (accuracy where so many percent of the entries are
        missing, see `Measurement.accuracy_missing`) and `missing_area` (its mean over rates from 0 to 90%). Of
        training: `updates` (steps of all encoders together), `seconds` (without validation) and `memory` (highest, in
        MiB).
        """
        return column_names(self.modalities)

    @property
    def overlap(self) -> float:
        """The correction of the variance of correlated seeds: n_test / n_train, or 0 on one fixed split.

        n_train counts the training part before labels are left out. Redrawn splits share more test rows, the larger
        the test part is. Training on few of the other rows does not change that: seeds with few labels share fewer
        training rows, not more.
        """
        if self.redraw == "none":
            return 0.0
        sizes = [result.sizes for result in self._by_seed().values()]
        return float(np.mean([size["test"] / size.get("pool", size["train"]) for size in sizes]))

    def _by_seed(self) -> dict[int, Result]:
        """Return a finished run of each seed, of any method: all methods of a seed share its split."""
        found = {result.seed: result for method in self.methods for result in self.results[method]}
        return {seed: found[seed] for seed in self.seeds if seed in found}

    def values(self, method: str, column: str) -> list[float | None]:
        """Return one column of one method, one value per seed; None if it is undefined or the run diverged.

        Raises:
            ConfigError: there is no such method or column.
        """
        if method not in self.results:
            raise ConfigError(f"No method '{method}' in this comparison.{did_you_mean(method, self.methods)}")
        if column not in self.columns:
            raise ConfigError(f"No column '{column}' in this comparison.{did_you_mean(column, self.columns)}")
        known = {result.seed: result.columns()[column] for result in self.results[method]}
        return [known.get(seed) for seed in self.seeds]

    def summary(self, method: str, column: str) -> Estimate:
        """Return what the seeds say about one column of one method.

        The interval is Student's t, corrected for redrawn splits (see `estimate`). For accuracy on a fixed split it is
        a bootstrap of seeds and test groups (see `resampled_interval`).

        Raises:
            ConfigError: there is no such method or column.
        """
        found = estimate(self.values(method, column), self.overlap)
        return self.resampled(found, self.right(method)) if column == "accuracy" else found

    def difference(self, method: str, against: str, column: str) -> Estimate:
        """Return what the seeds say about a method's column minus another's, paired by seed; see `summary`.

        Raises:
            ConfigError: there is no such method or column.
        """
        found = estimate(paired(self.values(method, column), self.values(against, column)), self.overlap)
        one, other = self.right(method), self.right(against)
        if column != "accuracy" or one is None or other is None:
            return found
        return self.resampled(found, one - other)

    def right(self, method: str) -> np.ndarray | None:
        """Return 1 where a seed's model predicts the label, else 0 (J, N): NaN for a seed whose run diverged.

        None with redrawn splits, one seed, or runs that do not have it.
        """
        if self.redraw == "split" or len(self.seeds) < 2:
            return None
        known = {result.seed: result.test for result in self.results[method]}
        if not known or any(test.get("right") is None for test in known.values()):
            return None
        missing = np.full(next(iter(known.values()))["samples"], np.nan)
        rows = (unpack(known[s]["right"], known[s]["samples"]) if s in known else missing for s in self.seeds)
        return np.stack(list(rows)).astype(float)

    def resampled(self, found: Estimate, scores: np.ndarray | None) -> Estimate:
        """Return the estimate with the bootstrap interval of scores (J, N) over seeds and test groups.

        Seeds whose scores are NaN are left out; with fewer than two seeds, or without scores, the estimate is
        unchanged.
        """
        if scores is None:
            return found
        scores = scores[~np.isnan(scores).any(axis=1)]
        if len(scores) < 2:
            return found
        groups = self.provenance.get("test_groups") or np.arange(scores.shape[1])
        low, high = resampled_interval(scores, groups)
        return replace(found, low=low, high=high)

    def table(self) -> list[dict[str, Any]]:
        """Return one row per method: `method`, and under each column's name what the seeds say about it.

        That is a dict of `mean`, `low`, `high` (95% interval), `median`, `count`, `undefined` (seeds in which it is
        undefined), and `difference`: the same for the paired differences to the baseline (None in the baseline's row).
        The difference in accuracy also has `p` (paired permutation test) and `p_holm` (corrected for the number of
        methods compared with the baseline).
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
        """Return the numbers as tables: accuracy, also with entries missing, modalities alone, balance and so on."""
        return comparison_tables(self)

    def design(self) -> list[Table]:
        """Return how the comparison was run, as tables: the splits and labels of its seeds, and what was tuned."""
        configuration = self.provenance.get("configuration") or {}
        tuning = configuration.get("compare", {}).get("tune")
        made = [split_table(list(self._by_seed().values())), tuning_table(self.results, tuning)]
        return [table for table in made if table is not None]

    def __str__(self) -> str:
        return as_text(self.tables(), reading(self))

    def to_markdown(self) -> str:
        """Return the tables as Markdown, and how to read them."""
        return as_markdown(self.tables(), reading(self))

    def to_latex(self) -> str:
        """Return the tables as LaTeX floats with booktabs rules, and captions that say how to read them."""
        return as_latex(self.tables(), caption(self), str(self.provenance.get("data", "data")))

    def to_csv(self, path: str | Path) -> Path:
        """Write one line per run: method, seed, validation accuracy, best epoch, all columns, updates.

        These are the raw numbers, from which any program can repeat the statistics; an undefined one is an empty cell,
        and a run that diverged has no numbers. The updates of each modality's encoder are under `updates.<modality>`.
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
        records += [{"method": failure.method, "seed": failure.seed} for failure in self.failures]
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
            "failures": [asdict(failure) for failure in self.failures],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Comparison:
        """Return the comparison whose `to_dict` is given."""
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
            failures=tuple(Failure(**fields) for fields in plain.get("failures", ())),
        )

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.json` into a folder, whole or not at all."""
        return write_record(Path(folder) / FILE, self.to_dict())


def load_comparison(folder: str | Path) -> Comparison:
    """Return the comparison that a folder holds.

    Raises:
        RunError: there is none, or its file is damaged.
    """
    return read_record(Path(folder) / FILE, "comparison", Comparison.from_dict)
