"""The pages of the board, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from equimodal.board.comparisons import collection_so_far, comparison_so_far, comparisons_among, members_of
from equimodal.board.finding import find, look
from equimodal.board.reading import Version, version
from equimodal.board.runs import HISTORY, RunSoFar, reference_of, run_so_far
from equimodal.display.charts import Chart
from equimodal.display.html import render_page
from equimodal.reports.history_figures import HistoryCharts
from equimodal.tables.words import duration
from equimodal.training.ability import Ability
from equimodal.training.history import history_so_far

MOST_RUNS = 300
"""Runs in one table; the others are counted below it."""
MOST_KEPT = 64
"""Pages of runs that are kept, so that figures are drawn again only where something has changed."""
_ORDER = {"running": 0, "stopped": 1, "finished": 2}


class Pages:
    """The pages of what one folder holds.

    Args:
        root: the folder, resolved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: dict[str, tuple[tuple[Any, ...], str]] = {}

    def first(self) -> str:
        """Return the page that lists everything; the runs of a comparison are counted there, and listed on its page."""
        found, whole = find(self.root)
        briefs = comparisons_among(found)
        within = {one for comparison in briefs for one in members_of(comparison, found)}
        runs = [run_so_far(one) for one in found if one.kind == "run" and one not in within]
        return _page(
            "first",
            self.root.name or str(self.root),
            collections=[
                collection_so_far(one, [briefs[member] for member in members_of(one, found) if member in briefs])
                for one in found
                if one.kind in _COLLECTIONS
            ],
            comparisons=list(briefs.values()),
            running=sum(run.state == "running" for run in runs) + sum(each.running for each in briefs.values()),
            whole=whole,
            **_table(runs),
        )

    def at(self, place: str) -> str | None:
        """Return the page of what is at a place; None where nothing is there, or nothing any more."""
        found = look(self.root, place)
        if found is None:
            return None
        if found.kind == "run":
            return self._run(run_so_far(found), version(found.folder / HISTORY), reference_of(found, self.root))
        members = members_of(found, find(self.root, place)[0])
        title = place.rpartition("/")[2] or self.root.name
        if found.kind == "comparison":
            comparison = comparison_so_far(found, members)
            return _page("comparison", title, it=comparison, **_table(comparison.runs))
        collection = collection_so_far(found, list(comparisons_among(members).values()))
        runs = [run for comparison in collection.comparisons for run in comparison.runs]
        return _page("collection", title, it=collection, **_table(runs))

    def _run(self, run: RunSoFar, history: Version | None, reference: Ability | None) -> str:
        seen = (run, history, reference)
        known = self._kept.get(run.place)
        if known is not None and known[0] == seen:
            return known[1]
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        text = _run_page(run, [] if history is None else history_so_far(history.path), reference)
        self._kept[run.place] = (seen, text)
        return text


_COLLECTIONS = ("study", "analysis")


def missing_page() -> str:
    """Return the page that says that nothing is at an address, or nothing any more."""
    return _page("missing", "Nothing here")


def address(place: str) -> str:
    """Return the address of the page of a place.

    Example:
        >>> address("a b/c#1")
        '/at/a%20b/c%231'
    """
    return f"/at/{quote(place)}"


def report_address(place: str) -> str:
    """Return the address of the report at a place.

    Example:
        >>> report_address("a b"), report_address("")
        ('/report/a%20b/report.html', '/report/report.html')
    """
    return f"/report/{quote(f'{place}/report.html'.removeprefix('/'))}"


def _run_page(run: RunSoFar, lines: Sequence[dict[str, Any]], reference: Ability | None) -> str:
    title = f"{run.method or 'A method'} on {run.data or 'data'}"
    try:
        return _page("run", title, it=run, charts=_charts(lines, reference), strange=False)
    except (LookupError, TypeError, ValueError, AttributeError):  # lines of another version, or no history of ours
        return _page("run", title, it=run, charts=[], strange=True)


def _charts(lines: Sequence[dict[str, Any]], reference: Ability | None) -> list[Chart]:
    if all(line.get("trial", False) for line in lines):
        return []
    drawn = HistoryCharts(lines, reference)
    charts = [drawn.accuracy(), drawn.shares(), drawn.edm(), drawn.utilisation(), drawn.loss(), drawn.order()]
    return [chart for chart in charts if chart is not None]


def _page(template: str, title: str, **content: Any) -> str:
    return render_page(
        "equimodal.board",
        template,
        live=True,
        title=title,
        address=address,
        report_address=report_address,
        duration=duration,
        **content,
    )


def _table(runs: Sequence[RunSoFar]) -> dict[str, Any]:
    """Return the runs of a table: those that train first, then by their last change, the newest first."""
    newest = sorted(runs, key=lambda run: run.changed, reverse=True)
    listed = sorted(newest, key=lambda run: _ORDER[run.state])
    return {"runs": listed[:MOST_RUNS], "more": max(0, len(listed) - MOST_RUNS)}
