"""Which epoch is the best so far, by validation alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equimodal.methods.base import Phase
from equimodal.training.measure import Measurement


@dataclass
class Selection:
    """The best epoch of a phase: the highest score, ties to the lower loss, then to the earlier epoch.

    Args:
        by: "accuracy", "macro_f1" or "loss".
        epoch: the best epoch, counted over the whole run; None before any.
        score: its (score, -loss).
        since: epochs since then.
    """

    by: str
    epoch: int | None = None
    score: tuple[float, float] | None = None
    since: int = 0

    def consider(self, epoch: int, measurement: Measurement, phase: Phase) -> bool:
        """Compare an epoch with the best so far; return whether it is better."""
        scores = measurement.scores
        if phase.select is not None:
            (name,) = phase.select
            scores = measurement.unimodal[name]
        rank = (-scores["loss"] if self.by == "loss" else scores[self.by], -scores["loss"])
        if self.score is None or rank > self.score:
            self.epoch, self.score, self.since = epoch, rank, 0
            return True
        self.since += 1
        return False

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON-safe values."""
        return {"epoch": self.epoch, "score": self.score, "since": self.since}

    def restore(self, state: dict[str, Any]) -> None:
        """Set the state from `to_dict`."""
        self.epoch, self.since = state["epoch"], state["since"]
        self.score = None if state["score"] is None else tuple(state["score"])
