"""The best weights of a run, and those that a trial phase puts back."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from equimodal.methods.base import Method
from equimodal.training.checkpoint import load_tensors, save_tensors, with_prefix


class Weights:
    """Keep and take back a model's weights; on the disk where the run has a folder, else in memory.

    A trial (see :class:`~equimodal.methods.base.Phase`) has best weights of its own, and at its end everything that
    training moves is as it was: the model, and the method's parameters. The method's buffers are not touched: they
    are what it learns from the trial.

    Args:
        method: with its model.
        folder: of the run, or None.
    """

    def __init__(self, method: Method, folder: Path | None) -> None:
        self.method, self.folder = method, folder
        self._best: dict[bool, dict[str, Tensor]] = {}
        self._before: dict[str, Tensor] | None = None

    @property
    def in_trial(self) -> bool:
        """Whether a trial has begun and not ended."""
        return self._before is not None

    def path(self) -> Path | None:
        """Return the file of the best weights."""
        if self.folder is None:
            return None
        return self.folder / ("checkpoint/trial.safetensors" if self.in_trial else "model.safetensors")

    def keep_best(self) -> None:
        """Keep the model's weights as the best."""
        path = self.path()
        if path is not None:
            save_model(path, self.method)
        else:
            self._best[self.in_trial] = _clone(self.method.model.state_dict())

    def take_best(self) -> None:
        """Give the model the best weights, if any were kept."""
        path = self.path()
        state = self._best.get(self.in_trial) if path is None else load_tensors(path)[0]
        if state is not None:
            self.method.model.load_state_dict(state)

    def begin_trial(self) -> None:
        """Remember everything that training moves."""
        self._before = _clone(self._moved())

    def end_trial(self) -> None:
        """Put everything back as it was before the trial."""
        now = self._moved()
        with torch.no_grad():
            for name, tensor in (self._before or {}).items():
                now[name].copy_(tensor)
        path = self.path()
        if path is not None:
            path.unlink(missing_ok=True)
        self._before = None
        self._best.pop(True, None)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold: what the trial under way puts back."""
        return dict(self._before or {})

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Set the state from :meth:`state_dict`."""
        self._before = dict(state) or None

    def _moved(self) -> dict[str, Tensor]:
        return with_prefix("model", self.method.model.state_dict()) | with_prefix(
            "method", dict(self.method.named_parameters())
        )


def save_model(path: Path, method: Method) -> None:
    """Write the model's weights, with what rebuilds it in the header."""
    save_tensors(path, method.model.state_dict(), {"specification": method.model.specification()})


def _clone(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
