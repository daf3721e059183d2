"""What a run says while it goes: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol


class Reporter(Protocol):
    """Told of every epoch; shows it or not."""

    def start(self, what: str, epochs: int, done: int) -> None:
        """A run (or a phase of it) of ``epochs`` epochs begins, ``done`` of them behind it."""

    def epoch(self, line: Mapping[str, Any]) -> None:
        """An epoch has been trained and validated; ``line`` is its history."""

    def finish(self) -> None:
        """The run or phase is over, whole or interrupted."""


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
    """Say nothing."""

    def start(self, what: str, epochs: int, done: int) -> None:
        """Say nothing."""

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


class PlainLines:
    """One line an epoch on standard error, at most one every ``every`` seconds."""

    def __init__(self, every: float = 2.0) -> None:
        self.every = every
        self._last = float("-inf")
        self._what = ""
        self._epochs = 0
        self._done = 0

    def start(self, what: str, epochs: int, done: int) -> None:
        """Remember what is running."""
        self._what, self._epochs, self._done = what, epochs, done
        self._last = float("-inf")

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Print the epoch, unless a line was printed just now; the last one always."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= self.every or self._done == self._epochs:
            self._last = now
            print(f"{self._what} {self._done}/{self._epochs}  {summary(line)}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Nothing is left to say."""


class Bar:
    """A rich progress bar with the latest epoch beside it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._make = lambda: Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[latest]}"),
            console=Console(stderr=True),
        )
        self._progress: Any = None
        self._task: Any = None

    def start(self, what: str, epochs: int, done: int) -> None:
        """Show the bar."""
        self.finish()
        self._progress = self._make()
        self._progress.start()
        self._task = self._progress.add_task(what, total=epochs, completed=done, latest="")

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Move the bar on."""
        self._progress.update(self._task, advance=1, latest=summary(line))

    def finish(self) -> None:
        """Leave the bar as it stands."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def make_reporter(quiet: bool = False) -> Reporter:
    """Return what fits: nothing if ``quiet``, a bar on a terminal, plain lines elsewhere."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else PlainLines()
