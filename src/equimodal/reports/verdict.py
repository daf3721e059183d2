"""The verdict on a run, a comparison or a study, in a few plain sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import diverged, findings
from equimodal.comparison.study import Study
from equimodal.contribution.knowledge import knowledge
from equimodal.reports.knowledge import knowledge_sentences
from equimodal.reports.leaving_out import leaving_out
from equimodal.statistics.permutation import LEVEL, seeds_needed
from equimodal.statistics.verdict import FEWEST, verdict
from equimodal.tables.words import VALUE_WORDS, interval, join_names, number
from equimodal.training.measure import Measurement
from equimodal.training.run import REFERENCE, Run

UNDER_USED = 0.9
"""Utilisation below which a modality is called under-used (ours)."""


@dataclass(frozen=True)
class Verdict:
    """The sentence that matters, and those that qualify it."""

    headline: str
    details: tuple[str, ...] = ()


def run_verdict(run: Run) -> Verdict:
    """Return the verdict on how a run uses its modalities, on test.

    A modality is under-used if its utilisation is below `UNDER_USED` and the gap to its reference exceeds two standard
    errors of a difference of independent proportions. That is cautious, since both are measured on the same samples
    (ours). It needs a value whose error follows from the value itself, which only accuracy has. For the other values
    a run stores intervals of the Shapley values, but none of what a modality reaches alone: there the smallest
    utilisation is reported without a claim.

    Where fewer modalities are more accurate than all of them, that comes first, see
    `equimodal.reports.leaving_out.leaving_out`.

    A modality that knows nothing alone (see `equimodal.training.ability.Ability.knows`) has no utilisation. It is not
    called under-used; a sentence says what it adds to the others.
    """
    test = run.test
    if test.contribution.edm is None:
        headline = "On test this model is no better than the label prior."
    elif run.config.method.name == REFERENCE:
        headline = (
            "This is the unimodal ensemble, the reference of utilisation: each modality does what it can do "
            "alone, and the EDM that is left comes from how much each of them knows."
        )
    elif run.reference is None or test.utilisation is None:
        headline = (
            f"{_by_share(test)[0]} contributes least. Whether it could do more is not known: this run has no "
            "reference (each modality trained alone)."
        )
    else:
        headline = _use(test, test.utilisation, run.reference["test"])
    first = [said for said in (leaving_out(run), headline) if said is not None]
    return Verdict(first[0], (*first[1:], *knowledge_sentences(test, UNDER_USED), _equilibrium(test), _fused(test)))


def _use(test: Measurement, used: Mapping[str, float | None], reference: Mapping[str, float]) -> str:
    known = sorted((u, name) for name, u in used.items() if u is not None)
    if not known:
        measured, text = (
            test.contribution,
            "Utilisation is undefined: trained alone, no modality is better than the prior",
        )
        if any(knowledge(measured, name).last for name in used):
            return f"{text}. What this model knows, it knows from modalities together."
        return f"{text}."
    low = [name for u, name in known if u < UNDER_USED]
    unit = VALUE_WORDS.get(test.contribution.value, test.contribution.value)
    smallest = f"the smallest utilisation is {number(known[0][0], 2)} ({known[0][1]})"
    if test.contribution.value != "accuracy":
        return f"Whether a modality is under-used is open: {smallest}, and its noise is not known for {unit}."
    if not low:
        those = " that knows something alone" if len(known) < len(used) else ""
        return f"Every modality{those} does what it could do alone, or nearly: {smallest}."
    if test.contribution.groups is not None and test.contribution.coalition_errors is None:
        return f"Whether a modality is under-used is open: {smallest}, and its noise over groups is not known."
    clear = [name for name in low if not _within_noise(test, name, reference[name])]
    if not clear:
        of = f"{test.samples} test samples"
        of += "" if test.contribution.groups is None else f" in {test.contribution.groups} groups"
        return f"No modality is clearly under-used: {smallest}, within the noise of {of}."
    each = [
        f"{name} is under-used: alone it reaches {test.alone[name]:.2f} {unit} in this model, "
        f"{reference[name]:.2f} trained alone (utilisation {number(used[name], 2)})"
        for name in clear[:3]
    ]
    more = f"; {len(clear) - 3} more are under-used" if len(clear) > 3 else ""
    return f"{'; '.join(each)}{more}."


def _within_noise(test: Measurement, name: str, reference: float) -> bool:
    own, errors = test.alone[name], test.contribution.coalition_errors
    if test.contribution.groups is None or errors is None:
        variance = (own * (1 - own) + reference * (1 - reference)) / test.samples
    else:  # rows of a group resemble each other; the reference's error is not stored, and is taken to be the same
        variance = 2 * errors[name] ** 2
    return abs(own - reference) <= 2 * math.sqrt(variance)


def _equilibrium(test: Measurement) -> str:
    measured = test.contribution
    if measured.edm is None or measured.shares is None:
        return f"EDM is undefined: {measured.reason}."
    text = f"EDM {measured.edm:.2f}"
    ends = measured.intervals and measured.intervals.edm
    if ends:
        text += f" {interval(ends.low, ends.high, 2)}"
    if measured.noise_floor is not None:
        text += f", noise floor {measured.noise_floor:.2f}"
    against = ""
    if test.edm_ability is not None:
        against = (
            f" Against what each can do (its share in the unimodal ensemble) EDM is {number(test.edm_ability, 2)}."
        )
    if ends and measured.noise_floor is not None and ends.low <= measured.noise_floor:
        return f"{text}: cannot be distinguished from equilibrium with {test.samples} test samples.{against}"
    order = [name for name in _by_share(test) if test.knows(name) is not False] or _by_share(test)
    extremes = dict.fromkeys([order[0], order[-1]])  # one, where only one modality knows something
    each = " and ".join(
        f"{name} has {number(100 * measured.shares[name], 0)}% (target {number(100 * measured.target[name], 0)}%)"
        for name in extremes
    )
    return f"{text}: of the contribution, {each}.{against}"


def _by_share(test: Measurement) -> list[str]:
    """Modalities by how far their share is from its target, the lowest first."""
    deviation = test.contribution.deviation or {}
    return sorted(deviation, key=lambda name: deviation[name])


def _fused(test: Measurement) -> str:
    fused = test.scores["accuracy"]
    best = max(test.unimodal, key=lambda name: test.unimodal[name]["accuracy"])
    gap = fused - test.unimodal[best]["accuracy"]
    beside = f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}" if abs(gap) >= 0.0005 else "level with"
    return (
        f"All modalities together reach {fused:.3f} accuracy on {test.samples} test samples, {beside} "
        f"the best of them alone ({best})."
    )


def comparison_verdict(comparison: Comparison) -> Verdict:
    """Return the verdict on a comparison: accuracy against the baseline, how sure that is, balance, and losses."""
    table, baseline, seeds = comparison.table(), comparison.baseline, len(comparison.seeds)
    lost = diverged(comparison)
    if len(table) == 1:
        only = number(table[0]["accuracy"]["mean"])
        return Verdict(f"{baseline} reaches {only} accuracy; there is nothing to compare it with.", tuple(lost))
    balance = (*_balance(table), *_losses(table), *lost)
    if seeds == 1:
        return Verdict("With one seed no difference can be distinguished from noise.", balance)
    if seeds < FEWEST:
        headline = f"{seeds} seeds are too few for a verdict: give at least {FEWEST}."
        return Verdict(headline, (*findings(comparison), *_one_split(comparison), *balance))
    found, doubts = findings(comparison), [*_unconfirmed(table, seeds), *_one_split(comparison)]
    if len(_apart(table, "above") + _apart(table, "below")) == 1:
        return Verdict(found[0], (*found[1:], *doubts, *balance))
    return Verdict(_headline(table), (*found, *doubts, *balance))


def _apart(table: Sequence[Mapping[str, Any]], answer: str) -> list[str]:
    """Return the methods with this verdict on their difference in accuracy to the baseline."""
    return [row["method"] for row in table[1:] if verdict(row["accuracy"]["difference"]) == answer]


def _headline(table: Sequence[Mapping[str, Any]]) -> str:
    """Return which methods are more or less accurate than the baseline: several, or none."""
    baseline = table[0]["method"]
    parts = [
        f"{join_names(names)} {'is' if len(names) == 1 else 'are'} {word} accurate than {baseline}."
        for answer, word in (("above", "more"), ("below", "less"))
        if (names := _apart(table, answer))
    ]
    if parts:
        return " ".join(parts)
    if _apart(table, "unknown"):
        return f"Whether any method is more accurate than {baseline} is open."
    return f"No method differs from {baseline} in accuracy by more than noise."


def _unconfirmed(table: Sequence[Mapping[str, Any]], seeds: int) -> list[str]:
    """Return the differences that their interval shows but the corrected permutation test does not."""
    apart = {*_apart(table, "above"), *_apart(table, "below")}
    names = [
        row["method"] for row in table[1:] if row["method"] in apart and row["accuracy"]["difference"]["p_holm"] > LEVEL
    ]
    if not names:
        return []
    needed = seeds_needed(len(table) - 1, LEVEL)
    why = f" (with {seeds} seeds it cannot; at least {needed} are needed)" if seeds < needed else ""
    return [
        f"A stricter test, which allows for the number of methods compared, does not confirm {join_names(names)}{why}: "
        "chance is not ruled out."
    ]


def _one_split(comparison: Comparison) -> list[str]:
    if comparison.redraw == "split":
        return []
    return [
        "All seeds share one split. Only the intervals of accuracy cover the effect of another test sample, and none "
        "covers the effect of another training sample."
    ]


def _left_behind(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which modality the baseline uses least, if that is clearly less than it could be, and who uses it best."""
    used = {name: numbers for name, numbers in table[0].items() if name.startswith("utilisation.")}
    low = [
        (numbers["mean"], column)
        for column, numbers in used.items()
        if numbers["count"] > 1 and numbers["mean"] < UNDER_USED and (numbers["high"] or 0) < 1
    ]
    if not low:
        return []
    mean, column = min(low)
    baseline, modality = table[0]["method"], column.removeprefix("utilisation.")
    text = f"{baseline} leaves {modality} behind: utilisation {number(mean, 2)}, where 1 is what it can do alone"
    others = [row for row in table[1:] if row[column]["mean"] is not None]
    best = max(others, key=lambda row: row[column]["mean"], default=None)
    if best is None or best[column]["mean"] <= mean:
        return [f"{text}. No other method uses it better."]
    difference = best[column]["difference"]
    how = _doubt(difference, "above") or f" ({_change(difference)})"
    return [f"{text}; under {best['method']} {number(best[column]['mean'], 2)}{how}."]


def _doubt(difference: Mapping[str, Any] | None, *answers: str) -> str:
    """Return in brackets why a difference says nothing; nothing if its verdict is one of these answers."""
    answer = "unknown" if difference is None else verdict(difference)
    if answer in answers:
        return ""
    return " (too few seeds to tell)" if answer == "few" else " (cannot be distinguished from noise)"


def _balance(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return whose EDM is lowest, and which modality is left behind; if none is, who uses the least used one best."""
    even = _best(table, "edm", "Contributions are most even", "EDM", min)
    if behind := _left_behind(table):
        return [*behind, even]
    return [even, _best(table, "smallest_utilisation", "The least used modality is used best", "utilisation", max)]


def _best(table: Sequence[Mapping[str, Any]], column: str, subject: str, measure: str, best: Callable[..., Any]) -> str:
    """Return the method that is best in a column, against the baseline."""
    known = [row for row in table if row[column]["mean"] is not None]
    if not known:
        return f"{measure[0].upper()}{measure[1:]} is undefined for every method."
    top = best(known, key=lambda row: row[column]["mean"])
    text = f"{subject} under {top['method']}: {measure} {number(top[column]['mean'], 2)}"
    base, difference = table[0], top[column]["difference"]
    if difference is not None and base[column]["mean"] is not None:
        text += f" against {number(base[column]['mean'], 2)} under {base['method']}"
        text += _doubt(difference, "above", "below")
    return f"{text}."


def _losses(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return modalities that do clearly less alone than under the baseline, and higher EDMs."""
    found = []
    for row in table[1:]:
        for column, numbers in row.items():
            difference = numbers["difference"] if column != "method" else None
            if difference is None:
                continue
            if column.startswith("unimodal.") and verdict(difference) == "below":
                found.append(f"{row['method']}: {column.removeprefix('unimodal.')} alone {_change(difference)}")
            elif column == "edm" and verdict(difference) == "above":
                found.append(f"{row['method']}: EDM {_change(difference)}")
    if not found:
        return []
    return [f"Worse than {table[0]['method']}, beyond noise: {'; '.join(found)}."]


def _change(difference: Mapping[str, Any]) -> str:
    ends = interval(difference["low"], difference["high"], sign=True)
    return f"{number(difference['mean'], sign=True)} {ends}"


def study_verdict(study: Study) -> Verdict:
    """Return the verdict on a study: how many declared comparisons were decided, each of them, and the ranks."""
    lines = tuple(line.removeprefix("- ") for line in study.reading())
    if not study.primary:
        return Verdict("Nothing was declared beforehand: treat the differences as hints, not as findings.", lines)
    decided = [decision for decision in study.decisions() if decision.decided]
    count = len(study.primary)
    return Verdict(
        f"Of {count} comparison{'s' * (count > 1)} declared beforehand, {len(decided) or 'none'} "
        f"show{'s' * (len(decided) < 2)} a difference that can be distinguished from noise.",
        lines[1:],
    )
