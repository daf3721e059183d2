"""A comparison in plain sentences: what it found, and how its numbers were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from equimodal.comparison.numbers import Numbers
from equimodal.comparison.primary import declared_decisions
from equimodal.statistics.permutation import LEVEL, seeds_needed, smallest_p
from equimodal.statistics.power import detectable_difference
from equimodal.statistics.verdict import FEWEST, verdict
from equimodal.tables.words import join_names, number


def reading(comparison: Numbers) -> list[str]:
    """Return what a reader needs to distinguish a difference from noise, one string per subject."""
    return [*findings(comparison), *notes(comparison)]


def findings(comparison: Numbers) -> list[str]:
    """Return which methods differ from the baseline in accuracy, in words that need no statistics.

    A difference counts if its 95% interval excludes 0, from five seeds on, see `equimodal.statistics.verdict`.
    If none was found, the sentence says what these seeds could have missed: the true difference that they would have
    found 4 times in 5, see `equimodal.statistics.power`.
    """
    table, baseline, seeds = comparison.table(), comparison.baseline, len(comparison.seeds)
    if seeds == 1 or len(table) == 1:
        return []
    differences = {row["method"]: row["accuracy"]["difference"] for row in table[1:]}
    verdicts = {method: verdict(difference) for method, difference in differences.items()}

    def chosen(answer: str) -> dict[str, Mapping[str, Any]]:
        return {method: differences[method] for method in differences if verdicts[method] == answer}

    lines = [
        f"{method} is {word} accurate than {baseline}: 95% sure that the difference is between "
        f"{number(d['low'], sign=True)} and {number(d['high'], sign=True)} (measured {number(d['mean'], sign=True)})."
        for answer, word in (("above", "more"), ("below", "less"))
        for method, d in chosen(answer).items()
    ]
    if level := chosen("level"):
        lines.append(
            f"With these {seeds} seeds the difference in accuracy to {baseline} cannot be distinguished from noise for "
            f"{join_names(list(level))}."
            f"{_could_be_missed(list(level.values()))}"
        )
    if few := chosen("few"):
        each = [f"{method} ({number(d['mean'], sign=True)})" for method, d in few.items()]
        lines.append(
            f"Not judged, with fewer than {FEWEST} seeds: the difference in accuracy to {baseline} of "
            f"{join_names(each)}. A few seeds often agree by chance."
        )
    unknown = chosen("unknown")
    same = [f"{method} ({number(d['mean'], sign=True)})" for method, d in unknown.items() if d["mean"] is not None]
    if same:
        lines.append(f"Not judged, because all seeds gave the same difference to {baseline}: {join_names(same)}.")
    if without := [method for method, d in unknown.items() if d["mean"] is None]:
        lines.append(
            f"Not judged, because in no seed both its run and that of {baseline} finished: {join_names(without)}."
        )
    return lines


def _could_be_missed(differences: Sequence[Mapping[str, Any]]) -> str:
    known = []
    for difference in differences:
        if difference["low"] is not None:
            free = difference["count"] - 1  # a resampled interval is treated as a t interval, which is close enough
            error = (difference["high"] - difference["low"]) / 2 / float(stats.t.ppf(0.975, free))
            known.append(detectable_difference(error, free))
    if not known:
        return " There was no difference in any seed."
    least, most = number(min(known)), number(max(known))
    if least == most:
        return f" A true difference below {least} could easily be missed."
    return f" True differences below {least} to {most}, depending on the method, could easily be missed."


def notes(comparison: Numbers) -> list[str]:
    """Return how the numbers of a comparison were made: tests, intervals, what is undefined."""
    table, seeds = comparison.table(), len(comparison.seeds)
    lines = []
    declared = declared_decisions(comparison)
    if declared:
        lines += [f"Declared beforehand: {decision}" for decision in declared]
    elif seeds > 1 and len(table) > 1:
        lines.append(_permutation(table, redrawn=comparison.redraw == "split"))
    lines.append(intervals(comparison))
    finished = sum(row["accuracy"]["count"] for row in table)
    undefined = finished - sum(row["edm"]["count"] for row in table)
    if undefined:
        lines.append(
            f"EDM is undefined in {undefined} of {finished} runs (no better than the prior): "
            "its mean and median leave them out."
        )
    return [*lines, *diverged(comparison)]


def diverged(comparison: Numbers) -> list[str]:
    """Return which runs diverged, and what that means for the numbers; empty if all runs finished."""
    if not comparison.failures:
        return []
    runs = join_names([f"{failure.method}, seed {failure.seed}" for failure in comparison.failures])
    count = len(comparison.failures)
    text = f"{count} run{'s' * (count > 1)} diverged and {'have' if count > 1 else 'has'} no numbers: {runs}."
    if {failure.method for failure in comparison.failures} <= set(comparison.methods):
        return [f"{text} They are left out of the means and counted as undefined."]
    return [
        f"{text} They are left out of the means and counted as undefined; where the unimodal ensemble diverged, "
        "utilisation has no reference and is undefined too."
    ]


def _permutation(table: Sequence[Mapping[str, Any]], *, redrawn: bool) -> str:
    differences = {row["method"]: row["accuracy"]["difference"] for row in table[1:]}
    rejected = [f"{method} (p {d['p_holm']:.3g})" for method, d in differences.items() if d["p_holm"] <= LEVEL]
    seeds = max(d["count"] for d in differences.values())
    lowest, tests = smallest_p(seeds), len(differences)
    text = (
        f"Different in accuracy by exact paired permutation, Holm-corrected for {tests} "
        f"comparison{'s' * (tests > 1)} at {LEVEL}: {join_names(rejected) or 'none'}. "
        f"The smallest p that {seeds} seeds can give is {lowest:.3g}"
    )
    if tests > 1:
        text += f", {min(1.0, lowest * tests):.3g} corrected"
    if lowest * tests > LEVEL:
        text += f": none can be under {LEVEL} with fewer than {seeds_needed(tests, LEVEL)} seeds"
    if redrawn:
        text += (
            ". The test treats redrawn splits as independent, which they are not: if it disagrees, trust the intervals"
        )
    return f"{text}."


def intervals(comparison: Numbers) -> str:
    """Return what the intervals are, and what they do not cover."""
    seeds = len(comparison.seeds)
    if seeds == 1:
        return "One seed: no interval, and no difference can be distinguished from noise. Give more seeds."
    if comparison.redraw == "none":
        return (
            f"± and [ ]: 95%, over {seeds} seeds on one fixed split. For accuracy, seeds and test groups are "
            "resampled together. For everything else Student's t, which covers training noise only, not the effect of "
            "another test sample."
        )
    return (
        f"± and [ ]: t, 95%, over {seeds} redrawn splits, widened for the samples that splits share "
        f"(Nadeau and Bengio: variance \u00d7 (1/{seeds} + {comparison.overlap:.2f}))."
    )
