"""The highest memory that a run took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """The highest memory since `start`, in MiB, validation probes included.

    On CUDA it is what torch had allocated on the device. On the CPU of a Linux machine it is the resident size of the
    whole process (the kernel's `VmHWM`, which `start` resets): It includes Python, torch, the data
    and everything else in the process, so that only runs started in the same way can be compared. It is None elsewhere,
    and where the kernel does not reset the mark, because a mark from before the run would be reported as the run's.

    Reading it costs microseconds, and nothing here can break a run.

    Args:
        device: where training is.

    Example:
        >>> memory = PeakMemory(torch.device("cpu"))
        >>> memory.mib() is None  # not started
        True
        >>> memory.start()
        >>> peak = memory.mib()
        >>> peak is None or peak > 1
        True
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._counts = False

    def start(self) -> None:
        """Start to count."""
        try:
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            else:
                _RESET.write_text("5", encoding="ascii")  # proc(5): resets VmHWM to the present size
            self._counts = self.device.type in ("cuda", "cpu")
        except (OSError, RuntimeError):
            self._counts = False

    def mib(self) -> float | None:
        """Return the highest memory so far; None where it is not known."""
        if not self._counts:
            return None
        try:
            if self.device.type == "cuda":
                return torch.cuda.max_memory_allocated(self.device) / 2**20
            lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
            return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM:")), None)
        except (OSError, RuntimeError):
            return None


def highest(history: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the highest `memory` of a history's lines; None where no line has it.

    A run that was interrupted counts from zero in each process that continues it.

    Example:
        >>> highest([{"memory": 310.5}, {"memory": None}, {}]), highest([{}])
        (310.5, None)
    """
    return max((line["memory"] for line in history if line.get("memory") is not None), default=None)
