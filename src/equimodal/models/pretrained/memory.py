"""How much memory a model needs, before its weights are loaded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from equimodal.errors import ConfigError
from equimodal.tables.words import size_in_words

_OPTIMISER = 8
"""Bytes of AdamW's two moments of a parameter, in float32."""


@dataclass(frozen=True)
class Estimate:
    """Bytes that a model needs, without what a batch needs.

    Args:
        weights: of all parameters.
        gradients: of those that train.
        optimiser: AdamW's state of those.
    """

    weights: int
    gradients: int
    optimiser: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimiser


def estimate(model: nn.Module, dtype: torch.dtype, added: int = 0) -> Estimate:
    """Return what a model needs once its weights are there, from its shapes alone.

    Args:
        model: it may be on the meta device; parameters that train are kept in float32.
        dtype: of the parameters that do not train.
        added: parameters that will train beside those of the model.

    Example:
        >>> with torch.device("meta"):
        ...     model = nn.Linear(10, 10, bias=False)
        >>> estimate(model, torch.float32).total, estimate(model.requires_grad_(False), torch.bfloat16).total
        (1600, 200)
    """
    trained = added + sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return Estimate(4 * trained + frozen * dtype.itemsize, 4 * trained, _OPTIMISER * trained)


def available() -> int | None:
    """Return how many bytes of memory this machine has left; None where that is not known."""
    found = []
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    with suppress(OSError, ValueError):
        found += _left_to_a_container(Path("/sys/fs/cgroup"))
    if torch.cuda.is_available():
        found.append(torch.cuda.mem_get_info()[0])
    return max(0, min(found)) if found else None


def _left_to_a_container(group: Path) -> list[int]:
    """Return what is left of a control group's limit, if it has one; cached files make room when it is needed."""
    limit = (group / "memory.max").read_text(encoding="ascii").strip()
    if limit == "max":
        return []
    used = int((group / "memory.current").read_text(encoding="ascii"))
    lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    return [int(limit) - used + sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))]


def check_memory(needed: Estimate, source: str, mode: str) -> None:
    """Raise an error if a model does not fit.

    Raises:
        ConfigError: it does not.
    """
    left = available()
    if left is None or needed.total <= left:
        return
    remedies = {
        "frozen": "Take a smaller model, or dtype: bfloat16.",
        "lora": "Take a smaller model, mode: frozen, or dtype: bfloat16.",
    }
    each = ", ".join(f"{name} {size_in_words(size)}" for name, size in asdict(needed).items())
    raise ConfigError(
        f"{source} with mode '{mode}' needs about {size_in_words(needed.total)} of memory ({each}, without what a "
        f"batch needs), and {size_in_words(left)} are available. "
        f"{remedies.get(mode, 'Take mode: lora or frozen, or a smaller model.')}"
    )
