"""Encoders that torch compiles for the steps of training (`training.compile`)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from equimodal.errors import ConfigError
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import Encoder

SETTINGS: dict[str, Any] = {"dynamic": True, "options": {"fallback_random": True}}
"""Batches differ in rows and steps: one compilation serves them all. Dropout draws what it draws uncompiled."""

_MOST = 64
"""Compilations of one kind of encoder in a process, as a comparison needs them; torch's 8 are for one model."""


class CompiledEncoders:
    """Encoders of a model that are compiled while steps are taken, and at no other time.

    Evaluation, copies and saved files know nothing of it: the modules stay what they are, and so do the names of their
    weights. The first batch takes long, because it is then that torch compiles.

    Args:
        model: the classifier.
        wanted: whether to compile at all.
    """

    def __init__(self, model: Classifier, *, wanted: bool) -> None:
        self._calls: dict[nn.Module, Any] = {}
        for encoder in model.encoders.values():
            if wanted and can_compile(encoder):
                encoder.compile(**SETTINGS)
                self._calls[encoder] = encoder._compiled_call_impl
        self._set(on=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the encoders run compiled.

        Raises:
            ConfigError: torch cannot compile one of them.
        """
        if not self._calls:
            yield
            return
        from torch._dynamo import config as dynamo
        from torch._dynamo.exc import TorchDynamoException
        from torch._functorch import config as autograd

        self._set(on=True)
        try:
            with ExitStack() as changed:
                # Gradients of several losses come from one pass: nothing of it may be overwritten by the first.
                changed.enter_context(autograd.patch(donated_buffer=False))
                changed.enter_context(dynamo.patch(recompile_limit=_MOST))
                yield
        except TorchDynamoException as error:
            raise ConfigError(
                f"training.compile: torch cannot compile an encoder ({_first_line(error)}). Leave training.compile out."
            ) from error
        finally:
            self._set(on=False)

    def _set(self, *, on: bool) -> None:
        for encoder, call in self._calls.items():
            encoder._compiled_call_impl = call if on else None  # what `nn.Module.compile` sets


def can_compile(encoder: nn.Module) -> bool:
    """Return whether an encoder is compiled where that is asked for: something of it trains, and it allows it."""
    allowed = encoder.compiles if isinstance(encoder, Encoder) else True
    return allowed and any(parameter.requires_grad for parameter in encoder.parameters())


def compile_problems(model: Classifier, device: torch.device) -> list[str]:
    """Return in words why the encoders of a model cannot be compiled; none where they can."""
    if device.type != "cpu":
        return [
            f"training.compile: compiles for CPUs only so far, got {device.type}. Leave it out, or train on the CPU."
        ]
    if not any(can_compile(encoder) for encoder in model.encoders.values()):
        return [
            "training.compile: there is no encoder to compile: pretrained models run as they are, and so does what "
            "does not train. Leave it out."
        ]
    if reason := _why_not():
        return [
            f"training.compile: torch cannot compile here ({reason}). Install a C++ compiler (g++ or clang++), or "
            "leave it out."
        ]
    return []


@functools.cache
def _why_not() -> str | None:
    """Return why torch cannot compile on this machine, by trying; None: it can."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8))
    except Exception as error:  # noqa: BLE001 - its parts raise errors of any class
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:200]
