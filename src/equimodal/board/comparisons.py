"""A comparison, and a study or an analysis of several, as far as they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from equimodal.board.finding import Found
from equimodal.board.reading import item, number_at, read_config_of, read_json, version
from equimodal.board.runs import (
    Numbers,
    RunSoFar,
    State,
    changed_at,
    in_words,
    is_active,
    is_fresh,
    last_change,
    numbers_of,
    run_so_far,
)
from equimodal.comparison.comparison import FILE as COMPARISON
from equimodal.comparison.folder import FILE as COMPARE
from equimodal.comparison.jobs import TRIALS
from equimodal.comparison.preflight import ensemble_and_others
from equimodal.files import safe_name
from equimodal.locks import is_held

T = TypeVar("T")


@dataclass(frozen=True)
class MethodSoFar:
    """The finished runs of one method.

    Args:
        label: of the method.
        finished: number of seeds.
        planned: number of seeds in all.
        accuracy: mean over the finished seeds, on test; None before the first.
        validation: the same on validation.
        edm: mean equilibrium deviation on test, over the seeds where it is defined.
    """

    label: str
    finished: int
    planned: int
    accuracy: float | None
    validation: float | None
    edm: float | None


@dataclass(frozen=True)
class Best:
    """The method with the highest mean accuracy on validation, over seeds that are finished by every method compared.

    Args:
        label: of the method.
        validation: its mean accuracy over those seeds.
        seeds: number of those seeds.
    """

    label: str
    validation: float
    seeds: int


@dataclass(frozen=True)
class ComparisonSoFar:
    """What is known of a comparison.

    Args:
        place: see `Found`.
        state: as of a run; "finished": its results are written.
        data: name of the data; None where the configuration cannot be read.
        methods: the unimodal ensemble too, which is always trained.
        running: runs that train now, candidates of tuning among them.
        stopped: runs that have begun, are not finished and do not train: interrupted, or diverged.
        diverged: runs without numbers; known once it is finished.
        best: method so far; None before two methods have finished the same seed.
        runs: each run that has a folder, candidates of tuning left out.
        changed: when something was last written, in words.
        report: whether it has a page of its own, `report.html`.
    """

    place: str
    state: State
    data: str | None
    methods: tuple[MethodSoFar, ...]
    running: int
    stopped: int
    diverged: int
    best: Best | None
    runs: tuple[RunSoFar, ...]
    changed: str
    report: bool

    @property
    def finished(self) -> int:
        """Number of runs that are finished."""
        return sum(method.finished for method in self.methods)

    @property
    def planned(self) -> int:
        """Number of runs in all."""
        return sum(method.planned for method in self.methods)


@dataclass(frozen=True)
class CollectionSoFar:
    """What is known of a study or an analysis: the comparisons in its folder.

    Args:
        place: see `Found`.
        kind: "study" or "analysis".
        state: as of a comparison.
        comparisons: those that have a folder, in brief; one that has not begun has none.
        changed: when something was last written, in words.
        report: whether it has a page of its own, `report.html`.
    """

    place: str
    kind: str
    state: State
    comparisons: tuple[ComparisonSoFar, ...]
    changed: str
    report: bool

    @property
    def finished(self) -> int:
        """Number of runs that are finished."""
        return sum(comparison.finished for comparison in self.comparisons)

    @property
    def planned(self) -> int:
        """Number of runs of the comparisons that have begun."""
        return sum(comparison.planned for comparison in self.comparisons)


def comparison_so_far(found: Found, members: Sequence[Found], *, brief: bool = False) -> ComparisonSoFar:
    """Return what is known of a comparison now.

    Args:
        found: the comparison.
        members: what was found in its folder.
        brief: of the runs only those that train: there may be thousands of others.
    """
    folder = found.folder
    written = read_json(folder / COMPARISON)
    config = read_config_of(folder / COMPARE)
    if config is not None:
        ensemble, others = ensemble_and_others(config)
        labels = [method.label for method in (*ensemble, *others)]
        listed = [method.label for method in config.compare.methods]
        seeds = list(range(config.seed, config.seed + config.compare.seeds))
    else:
        labels = listed = _list(written, "methods", str)
        seeds = _list(written, "seeds", int)
    tried = f"{found.place}/{TRIALS}/".removeprefix("/")
    every = [one for one in members if one.kind == "run"]
    inner = [one for one in every if not one.place.startswith(tried)]
    active = {one.folder for one in every if is_active(one.folder)}
    runs = tuple(run_so_far(one) for one in inner if not brief or one.folder in active)
    kept = _results(written)
    at = {(label, seed): folder / safe_name(label) / f"seed-{seed}" for label in labels for seed in seeds}
    ends = {run: end for run, place in at.items() if (end := kept.get(run) or numbers_of(place)) is not None}
    begun = {one.folder for one in inner} - active
    state: State = "stopped"
    changed = last_change([folder / COMPARE, folder / COMPARISON])
    if is_held(folder):
        state = "running"
    elif written is not None and _covers(written, listed, seeds):
        state = "finished"
    elif is_fresh(changed) or any(run.state == "running" for run in runs):
        state = "running"
    return ComparisonSoFar(
        place=found.place,
        state=state,
        data=config.data.title if config is not None else item(written, "provenance", "data"),
        methods=tuple(
            _method(label, [ends[label, seed] for seed in seeds if (label, seed) in ends], len(seeds))
            for label in labels
        ),
        running=len(active),
        stopped=sum(place in begun for run, place in at.items() if run not in ends),
        diverged=len(_list(written, "failures", dict)),
        best=_best(ends, listed),
        runs=runs,
        changed=in_words(max([changed, *(changed_at(one.folder) for one in inner)])),
        report=version(folder / "report.html") is not None,
    )


def collection_so_far(found: Found, comparisons: Sequence[ComparisonSoFar]) -> CollectionSoFar:
    """Return what is known of a study or an analysis now.

    Args:
        found: the study or the analysis.
        comparisons: those in its folder, see `comparisons_among`.
    """
    done = read_json(found.folder / f"{found.kind}.json") is not None
    running = is_held(found.folder) or any(each.state == "running" for each in comparisons)
    own = [found.folder / f"{found.kind}.json"]
    return CollectionSoFar(
        place=found.place,
        kind=found.kind,
        state="running" if running else "finished" if done else "stopped",
        comparisons=tuple(comparisons),
        changed=max([in_words(last_change(own)), *(each.changed for each in comparisons)]),
        report=version(found.folder / "report.html") is not None,
    )


def comparisons_among(found: Sequence[Found]) -> dict[Found, ComparisonSoFar]:
    """Return what is known now, in brief, of each comparison among these."""
    return {
        one: comparison_so_far(one, members_of(one, found), brief=True) for one in found if one.kind == "comparison"
    }


def members_of(found: Found, among: Sequence[Found]) -> list[Found]:
    """Return those that lie in the folder of another.

    Args:
        found: the other.
        among: sorted by place, as `find` returns them.
    """
    if not found.place:
        return [one for one in among if one.place]
    start, end = (bisect_left(among, found.place + mark, key=lambda one: one.place) for mark in ("/", "0"))
    return list(among[start:end])  # "0" comes next after "/"


def _covers(written: Mapping[str, Any], methods: Sequence[str], seeds: Sequence[int]) -> bool:
    """Return whether the results are of all methods and seeds: some may have been added since they were written."""
    return {*methods} <= {*_list(written, "methods", str)} and {*seeds} <= {*_list(written, "seeds", int)}


def _method(label: str, ends: Sequence[Numbers], planned: int) -> MethodSoFar:
    return MethodSoFar(
        label=label,
        finished=len(ends),
        planned=planned,
        accuracy=_mean([end.accuracy for end in ends]),
        validation=_mean([end.validation for end in ends]),
        edm=_mean([end.edm for end in ends]),
    )


def _results(written: Mapping[str, Any] | None) -> dict[tuple[str, int], Numbers]:
    """Return the numbers of each method and seed as `comparison.json` keeps them."""
    return {
        (str(each.get("method")), seed): Numbers(
            number_at(each, "test", "accuracy"),
            number_at(each, "validation_accuracy"),
            number_at(each, "test", "contribution", "edm"),
        )
        for each in _list(written, "results", dict)
        if isinstance(seed := each.get("seed"), int)
    }


def _best(ends: Mapping[tuple[str, int], Numbers], methods: Collection[str]) -> Best | None:
    """Return the best of some methods so far; the first of several that are equal.

    Methods are compared on the same seeds. One that has not finished any is left out: it may diverge in each.
    """
    known: dict[str, dict[int, float]] = {}
    for (label, seed), end in ends.items():
        if label in methods and end.validation is not None:
            known.setdefault(label, {})[seed] = end.validation
    shared = set.intersection(*map(set, known.values())) if len(known) > 1 else set()
    if not shared:
        return None
    means = {label: fmean(values[seed] for seed in shared) for label, values in known.items()}
    best = max(means, key=lambda label: means[label])
    return Best(best, means[best], len(shared))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _list(content: Any, key: str, kind: type[T]) -> list[T]:
    """Return the members of one type of the list under a key; none where there is no list."""
    found = item(content, key)
    return [each for each in found if isinstance(each, kind)] if isinstance(found, list) else []
