"""Progress on standard error: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from equimodal.progress import Reporter


def summary(line: Mapping[str, Any]) -> str:
    """Return one line about an epoch.

    Example:
        >>> summary({"validation": {"accuracy": 0.5, "unimodal": {"a": {"accuracy": 0.25}},
        ...          "contribution": {"edm": None}}, "order": ["a"], "best": True})
        'accuracy 0.500 (a 0.250)  EDM undefined  order a  *'
    """
    validation = line["validation"]
    alone = ", ".join(f"{name} {scores['accuracy']:.3f}" for name, scores in validation["unimodal"].items())
    edm = validation["contribution"]["edm"]
    parts = [
        f"accuracy {validation['accuracy']:.3f} ({alone})",
        "EDM undefined" if edm is None else f"EDM {edm:.3f}",
    ]
    if line["order"]:
        parts.append(f"order {' < '.join(line['order'])}")
    if line["best"]:
        parts.append("*")
    return "  ".join(parts)


class Quiet:
    """Show nothing."""

    def start(self, what: str, total: int, done: int) -> None:
        """Show nothing."""

    def step(self, text: str, *, keep: bool = False) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""


class PlainLines:
    """One line per step, but at most one in `every` seconds for steps that need not be kept."""

    def __init__(self, every: float = 2.0) -> None:
        self.every = every
        self._last = float("-inf")
        self._what = ""
        self._total = 0
        self._done = 0

    def start(self, what: str, total: int, done: int) -> None:
        """Remember what is running."""
        self._what, self._total, self._done = what, total, done
        self._last = float("-inf")

    def step(self, text: str, *, keep: bool = False) -> None:
        """Print the step, unless a line was printed just before; the last one always."""
        self._done += 1
        now = time.monotonic()
        if keep or now - self._last >= self.every or self._done == self._total:
            self._last = now
            print(f"{self._what} {self._done}/{self._total}  {text}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Nothing is left to print."""


class Bar:
    """A rich progress bar, with the latest step beside it, and the steps that are kept above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._make = lambda: Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[latest]}", markup=False),
            console=Console(stderr=True),
        )
        self._progress: Any = None
        self._task: Any = None

    def start(self, what: str, total: int, done: int) -> None:
        """Show the bar."""
        self.finish()
        self._progress = self._make()
        self._progress.start()
        self._task = self._progress.add_task(what, total=total, completed=done, latest="")

    def step(self, text: str, *, keep: bool = False) -> None:
        """Move the bar."""
        if keep:
            self._progress.console.print(text, markup=False, highlight=False)
        self._progress.update(self._task, advance=1, latest="" if keep else text)

    def finish(self) -> None:
        """Leave the bar as it is."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def make_reporter(quiet: bool = False) -> Reporter:
    """Return the reporter that fits: nothing if `quiet`, a bar on a terminal, plain lines elsewhere."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else PlainLines()
