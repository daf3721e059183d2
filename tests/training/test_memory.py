"""Peak memory of a run: against blocks of a known size, and where it cannot be measured."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from equimodal.training import memory as module
from equimodal.training.memory import PeakMemory, highest
from training.runs import fit_tiny

CPU = torch.device("cpu")
MIB = 64
KERNEL = 4
"""MiB by which the kernel's count may be off: threads report theirs with a delay."""


def known() -> bool:
    memory = PeakMemory(CPU)
    memory.start()
    return memory.mib() is not None


marked = pytest.mark.skipif(not known(), reason="the kernel does not reset the peak memory")


def test_linux_knows() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("there is no /proc")
    assert known() == (Path("/proc/self/clear_refs").exists())


@marked
def test_a_block_of_known_size_raises_the_peak_and_a_new_start_forgets_it() -> None:
    memory = PeakMemory(CPU)
    memory.start()
    before = memory.mib()
    block = np.ones(MIB * 2**17)  # so many MiB of float64: an allocation of its own, given back when it goes
    during = memory.mib()
    del block
    after = memory.mib()
    memory.start()
    anew = memory.mib()
    assert before is not None and during is not None and after is not None and anew is not None
    assert MIB - KERNEL <= during - before <= MIB + 16
    assert after == pytest.approx(during, abs=KERNEL)  # the highest, not the present
    assert anew <= during - MIB + 16


def test_nothing_is_known_before_the_start() -> None:
    assert PeakMemory(CPU).mib() is None


@pytest.mark.parametrize("refuses", ["_RESET", "_STATUS"])
def test_where_the_system_refuses_the_peak_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refuses) -> None:
    monkeypatch.setattr(module, refuses, tmp_path / "not" / "there")  # another system
    memory = PeakMemory(CPU)
    memory.start()
    assert memory.mib() is None
    monkeypatch.setattr(module, refuses, tmp_path)  # a folder: opening it raises, as a lack of permission does
    memory.start()
    assert memory.mib() is None


def test_a_status_without_the_mark_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t100 kB\n")
    monkeypatch.setattr(module, "_RESET", tmp_path / "reset")
    monkeypatch.setattr(module, "_STATUS", tmp_path / "status")
    memory = PeakMemory(CPU)
    memory.start()
    assert memory.mib() is None
    assert (tmp_path / "reset").read_text() == "5"
    (tmp_path / "status").write_text("Name:\tpython\nVmPeak:\t9999 kB\nVmHWM:\t    3072 kB\nVmRSS:\t100 kB\n")
    assert memory.mib() == 3.0


def test_on_cuda_torch_is_asked_of_that_device(monkeypatch: pytest.MonkeyPatch) -> None:
    device, asked = torch.device("cuda", 1), []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda where: asked.append(("reset", where)))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda where: asked.append(("peak", where)) or 5 * 2**20)
    memory = PeakMemory(device)
    memory.start()
    assert memory.mib() == 5.0
    assert asked == [("reset", device), ("peak", device)]


def test_a_device_that_cannot_say_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(where: torch.device) -> None:
        raise RuntimeError("no such device")

    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", no)
    for device in (torch.device("cuda"), torch.device("mps")):
        memory = PeakMemory(device)
        memory.start()
        assert memory.mib() is None


def test_every_line_of_a_history_has_it_and_it_never_falls(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit_tiny(tiny, "joint", epochs=3)
    peaks = [line["memory"] for line in run.history]
    assert len(peaks) == 3
    if known():
        assert all(later > earlier - KERNEL for earlier, later in pairwise(peaks))
        assert highest(run.history) == max(peaks)
    monkeypatch.setattr(module, "_RESET", Path("not/there"))
    run = fit_tiny(tiny, "joint", epochs=1)
    assert [line["memory"] for line in run.history] == [None]
    assert highest(run.history) is None
