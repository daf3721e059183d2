"""Preparation in a process that is killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from equimodal.preparation.record import WORK, check
from preparation.own_media import content


def in_a_child(work: Callable[[], object]) -> int:
    """Start some work in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def kill_at_random(work: Callable[[Path], object], folder: Path, kills: int) -> int:
    """Kill and start again, each time at a random moment of the time that an undisturbed run takes.

    In the end there are the bytes of an undisturbed run.

    Args:
        work: prepares a folder.
        folder: for all of this; the finished one is `out` in it.
        kills: how many.

    Returns:
        How many of them came while rows were decoded.
    """
    began = time.monotonic()
    os.waitpid(in_a_child(lambda: work(folder / "straight/out")), 0)
    seconds = time.monotonic() - began
    expected = content(folder / "straight/out")
    assert "data.yaml" in expected
    draws, count, moments, number = random.Random(0), 0, 0, 0
    out = folder / "0/out"
    while count < kills:
        child = in_a_child(lambda out=out: work(out))
        time.sleep(draws.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1] == signal.SIGKILL:
            count += 1
            moments += (out / WORK / "journal.jsonl").is_file()
            assert not (out / "data.yaml").exists() or content(out).keys() >= expected.keys()
        else:
            assert content(out) == expected
            number += 1
            out = folder / f"{number}/out"
    os.waitpid(in_a_child(lambda: work(out)), 0)
    check(out)
    assert content(out) == expected
    out.rename(folder / "out")
    return moments
