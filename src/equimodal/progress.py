"""How far some work is, as whoever does it tells it."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Shows how far some work is: epochs of a run, runs of a comparison, rows that are encoded."""

    def start(self, what: str, total: int, done: int) -> None:
        """Work of `total` steps begins, `done` of them finished before."""

    def step(self, text: str, *, keep: bool = False) -> None:
        """A step is finished; `text` says what came of it. `keep` it on the screen when the next one comes."""

    def finish(self) -> None:
        """The work ends, finished or interrupted."""
