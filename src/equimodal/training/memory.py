"""Peak memory of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class PeakMemory:
    """The peak memory since `start`, in MiB, validation included.

    On CUDA it is what torch had allocated on the device. On the CPU of a Linux machine it is the resident size of the
    whole process: Python, torch and the data are in it, and whatever else the process holds, so that only runs started
    alike compare. It is the kernel's `VmHWM`, which `start` resets. Elsewhere, and where the kernel refuses the reset,
    it is None: a peak from before the run would count as the run's.

    `resource.getrusage` does not suffice: a new process inherits `ru_maxrss` from the one that started it, so that the
    worker processes of a comparison would report the memory of their parent.

    Reading it costs microseconds, and errors here never stop a run.

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
        """Start to measure."""
        try:
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            else:
                _RESET.write_text("5", encoding="ascii")  # proc(5): resets VmHWM to the present size
            self._counts = self.device.type in ("cuda", "cpu")
        except (OSError, RuntimeError):
            self._counts = False

    def mib(self) -> float | None:
        """Return the peak memory so far; None where it is not known."""
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

    A run that was interrupted starts to measure again in each process that resumes it.

    Example:
        >>> highest([{"memory": 310.5}, {"memory": None}, {}]), highest([{}])
        (310.5, None)
    """
    return max((line["memory"] for line in history if line.get("memory") is not None), default=None)
