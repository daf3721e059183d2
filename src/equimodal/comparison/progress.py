"""What a comparison says while it goes: a line a finished run, and a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from equimodal.comparison.comparison import Result


class Progress:
    """Count finished runs on standard error, with an estimate of the time left.

    Args:
        total: runs in all.
        quiet: say nothing.
    """

    def __init__(self, total: int, quiet: bool) -> None:
        self.total, self.quiet = total, quiet
        self.done = 0
        self._trained = 0
        self._started = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as RichProgress

            columns = (TextColumn("comparing"), BarColumn(bar_width=20), MofNCompleteColumn())
            self._bar = RichProgress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("", total=self.total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def finished(self, result: Result, trained: bool) -> None:
        """Tell of a run; ``trained`` is False where it was found finished."""
        self.done += 1
        self._trained += trained
        if self.quiet:
            return
        edm = result.test["contribution"]["edm"]
        line = (
            f"{result.method}, seed {result.seed}: accuracy {result.test['accuracy']:.3f}, "
            f"EDM {'undefined' if edm is None else f'{edm:.3f}'}  "
            f"({self.done} of {self.total}{self._left(trained)})"
        )
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(line, markup=False, highlight=False)
            self._bar.advance(self._task)

    def _left(self, trained: bool) -> str:
        if not trained:
            return ", was finished"
        if self.done == self.total:
            return ""
        seconds = (time.monotonic() - self._started) / self._trained * (self.total - self.done)
        return f", about {duration(seconds)} left"


def announce(settings: Mapping[str, tuple[int, int, float]], workers: int | str) -> None:
    """Tell on standard error how many runs there are and how long they will take.

    Args:
        settings: for each, its runs, how many are finished, and the seconds of the others in one process.
        workers: how many train side by side, or "ray".
    """
    for label, (runs, finished, seconds) in settings.items():
        done = f", {finished} finished" if finished else ""
        print(f"{label}: {runs} runs{done}, about {duration(seconds)} of computing", file=sys.stderr)
    if isinstance(workers, int):
        total = sum(seconds for _, _, seconds in settings.values())
        beside = f" with {workers} side by side" if workers > 1 else ""
        print(f"About {duration(total / workers)} in all{beside}.", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a rough duration in words.

    Example:
        >>> duration(42.2), duration(200), duration(7500)
        ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
