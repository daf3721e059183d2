"""Killed at any time, and started again: the same bytes in the end."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from equimodal.media.settings import MediaSettings
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import WORK, check
from media.making import need, sound, tone
from preparation.killing import kill_at_random
from preparation.own_media import content, write_arrays, write_torn


def killed(step: int, manifest: Path, out: Path, on_error: str) -> bool:
    """Prepare in a child that kills itself when it touches the folder for the `step`-th time; was it killed?"""
    child = os.fork()
    if child == 0:
        left = step

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in ("open", "os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir", "os.truncate") and str(
                out
            ) in str(arguments[0]):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            prepare(manifest, out, on_error=on_error, workers=1)  # pyright: ignore[reportArgumentType]
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.slow
@pytest.mark.parametrize("on_error", ["missing", "drop"])
def test_kill_9_at_any_step(tmp_path: Path, on_error: str) -> None:
    """At random steps, some of them one after the other in the same folder."""
    torn = write_torn(tmp_path / "in")
    prepare(torn, tmp_path / "straight", on_error=on_error)  # pyright: ignore[reportArgumentType]
    expected = content(tmp_path / "straight")
    draws, kills, folder = random.Random(0), 0, 0
    while kills < 6:
        out = tmp_path / f"out{folder}" / "straight"
        while kills < 6 and killed(draws.randrange(1, 150), torn, out, on_error):
            kills += 1
            assert not (out / "data.yaml").exists() or check(out)
        prepare(torn, out, on_error=on_error)  # pyright: ignore[reportArgumentType]
        assert content(out) == expected
        folder += 1


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    manifest = write_arrays(tmp_path / "in", 160)
    out = tmp_path / "out"
    child = os.fork()
    if child == 0:
        try:
            prepare(manifest, out, workers=2)
        finally:
            os._exit(0)
    journal = out / WORK / "journal.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.is_file() and journal.read_bytes().count(b"\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    children = Path(f"/proc/{child}/task/{child}/children")
    workers = [int(number) for number in children.read_text().split()] if children.is_file() else []
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    prepare(manifest, out, workers=1)
    prepare(manifest, tmp_path / "straight", workers=1)
    assert content(out) == content(tmp_path / "straight")
    while any(
        Path(f"/proc/{number}").exists() and "Z" not in Path(f"/proc/{number}/stat").read_text().split()[2]
        for number in workers
    ):
        assert time.monotonic() < deadline, "workers are still there"
        time.sleep(0.05)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    """Arrays, texts and sounds."""
    need("soundfile")
    manifest = write_arrays(tmp_path / "in", 48)
    lines = manifest.read_text().splitlines()
    for number in range(48):
        sound(tmp_path / f"in/{number}.wav", tone(200 + number, 0.3))
    manifest.write_text(
        "\n".join([f"{lines[0]},audio", *(f"{line},{n}.wav" for n, line in enumerate(lines[1:]))]) + "\n"
    )
    settings = MediaSettings(sampling_rate=8000, seconds=0.4)
    assert kill_at_random(lambda out: prepare(manifest, out, settings, workers=1), tmp_path, 20) >= 5
    assert len(np.load(tmp_path / "out/columns/ids.npy")) == 48
