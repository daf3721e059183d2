"""Progress of a comparison: one line per finished run, and how long the others will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from equimodal.comparison.result import Failure, Result
from equimodal.tables.words import duration
from equimodal.training.progress import make_reporter


class RunProgress:
    """Count finished runs on standard error, with an estimate of the time left.

    Args:
        total: runs in all.
        quiet: show nothing.
    """

    def __init__(self, total: int, quiet: bool) -> None:
        self.total = total
        self.done = 0
        self._trained = 0
        self._started = time.monotonic()
        self._reporter = make_reporter(quiet)

    def __enter__(self) -> Self:
        self._reporter.start("run", self.total, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reporter.finish()

    def finished(self, outcome: Result | Failure, trained: bool) -> None:
        """Report a run; `trained` is False if it was found finished."""
        self.done += 1
        self._trained += trained
        text = f"{outcome.method}, seed {outcome.seed}: {_outcome(outcome)}{self._left(trained)}"
        self._reporter.step(text, keep=True)

    def _left(self, trained: bool) -> str:
        if not trained:
            return ", was finished"
        if self.done == self.total:
            return ""
        seconds = (time.monotonic() - self._started) / self._trained * (self.total - self.done)
        return f", about {duration(seconds)} left"


def _outcome(outcome: Result | Failure) -> str:
    if isinstance(outcome, Failure):
        return f"diverged ({outcome.reason})"
    edm = outcome.test["contribution"]["edm"]
    return f"accuracy {outcome.test['accuracy']:.3f}, EDM {'undefined' if edm is None else f'{edm:.3f}'}"


def announce(settings: Mapping[str, tuple[int, int, float]], workers: int | str) -> None:
    """Print on standard error how many runs there are and how long they will take.

    Args:
        settings: for each, its runs, how many are finished, and the seconds of the others in one process.
        workers: how many train in parallel, or "ray".
    """
    for label, (runs, finished, seconds) in settings.items():
        done = f", {finished} finished" if finished else ""
        print(f"{label}: {runs} runs{done}, about {duration(seconds)} of computing", file=sys.stderr)
    if isinstance(workers, int):
        total = sum(seconds for _, _, seconds in settings.values())
        parallel = f" with {workers} in parallel" if workers > 1 else ""
        print(f"About {duration(total / workers)} in all{parallel}.", file=sys.stderr, flush=True)
