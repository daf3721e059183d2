"""Compiled encoders train as others do but for rounding, and nothing outside of training steps knows of them."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import equimodal as eq
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.models.encoders.sequence import Conv1d
from equimodal.training import compiled
from equimodal.training.compiled import CompiledEncoders
from synthetic import make_model
from training.runs import BATCHES, fit_tiny, lines_of

ENCODERS = {"vector": {"dropout": 0.2}, "sequence": {"name": "conv1d", "hidden": 8, "layers": 2, "dropout": 0.2}}

COMPILER = shutil.which("g++") or shutil.which("clang++")
CAPTURED = {"dynamic": True, "backend": "aot_eager"}
"""What torch does short of generating code: it captures the graph, and works out the backward pass ahead of time."""


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "SETTINGS", CAPTURED)
    monkeypatch.setattr(compiled, "_why_not", lambda: None)


def fitted(tiny: Splits, method: str, out: Path | None = None, **options: Any) -> eq.Run:
    return fit_tiny(tiny, method, out, model=make_model(tiny, width=6, encoders=ENCODERS), **options)


def close(one: eq.Run, other: eq.Run) -> None:
    tensors, others = one.model.state_dict(), other.model.state_dict()
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.allclose(tensor, others[name], rtol=1e-3, atol=1e-4), name


@pytest.mark.usefixtures("captured")
def test_a_captured_run_is_one_that_was_not(tiny, tmp_path: Path):
    """The method takes several gradients of one pass. Dropout is on: it draws the same."""
    plain = fitted(tiny, "equilibrium", tmp_path / "plain", epochs=1)
    other = fitted(tiny, "equilibrium", tmp_path / "compiled", epochs=1, compile=True)
    close(plain, other)
    (one, same) = ([line["updates"] for line in lines_of(tmp_path / name)] for name in ("plain", "compiled"))
    assert one == same
    again = eq.load(tmp_path / "compiled")
    assert eq.predict(again, tiny.test).probabilities.tolist() == eq.predict(other, tiny.test).probabilities.tolist()
    assert all(encoder._compiled_call_impl is None for encoder in other.model.encoders.values())


@pytest.mark.usefixtures("captured")
def test_steps_are_compiled_and_nothing_else(tiny, monkeypatch: pytest.MonkeyPatch):
    """A call is seen here where torch has not taken the graph: the probe, validation and test."""
    seen: list[bool] = []
    forward = Conv1d.forward

    def noted(self: Conv1d, *inputs: Any) -> torch.Tensor:
        if not torch.compiler.is_compiling():
            seen.append(self.training)
        return forward(self, *inputs)

    monkeypatch.setattr(Conv1d, "forward", noted)
    calls = []
    for compile in (False, True):
        seen.clear()
        fitted(tiny, "joint", epochs=1, compile=compile)
        calls.append((seen.count(True), seen.count(False)))
    assert calls[0] == (calls[1][0] + BATCHES, calls[1][1])
    assert calls[1][1] > 0


@pytest.mark.usefixtures("captured")
def test_an_encoder_is_as_it_was_outside_and_in_copies(tiny):
    model = make_model(tiny, width=6)
    names = list(model.state_dict())
    encoders = CompiledEncoders(model, wanted=True)
    assert list(model.state_dict()) == names
    with encoders.running():
        assert all(encoder._compiled_call_impl is not None for encoder in model.encoders.values())
        assert all(encoder._compiled_call_impl is None for encoder in copy.deepcopy(model).encoders.values())
    assert all(encoder._compiled_call_impl is None for encoder in model.encoders.values())
    with CompiledEncoders(model, wanted=False).running():
        assert all(encoder._compiled_call_impl is None for encoder in model.encoders.values())


def test_what_torch_cannot_compile_is_one_message(tiny):
    def failing(graph: Any, inputs: Any) -> None:
        raise ValueError("no code for this")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "SETTINGS", {"backend": failing})
        patch.setattr(compiled, "_why_not", lambda: None)
        with pytest.raises(ConfigError, match=r"torch cannot compile an encoder \(.*Leave training\.compile out"):
            fitted(tiny, "joint", compile=True)


def test_where_it_cannot_work_it_is_refused(tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "_why_not", lambda: "InvalidCxxCompiler: No working C++ compiler found")
    with pytest.raises(ConfigError, match=r"cannot compile here \(InvalidCxxCompiler: .*\)\. Install a C\+\+ compiler"):
        fit_tiny(tiny, "joint", compile=True)
    assert "CPUs only so far, got meta" in compiled.compile_problems(make_model(tiny), torch.device("meta"))[0]
    frozen = make_model(tiny)
    frozen.encoders.requires_grad_(False)
    assert "no encoder to compile" in compiled.compile_problems(frozen, torch.device("cpu"))[0]


def test_the_maximum_over_steps_keeps_its_place(tiny):
    """`amax` compares with values that are worked out anew where torch compiles: with other rounding none is equal."""
    encoder = Conv1d(features=2, width=3)
    graphs: list[str] = []

    def noted(graph: Any, inputs: Any) -> Any:
        graphs.append(graph.code)
        return graph.forward

    torch.compile(encoder, backend=noted)(torch.zeros(2, 9, 2), torch.tensor([9, 4]))
    assert "max(" in graphs[0] and "amax" not in graphs[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a busy machine compiles for long
@pytest.mark.skipif(COMPILER is None, reason="torch compiles for a CPU with a C++ compiler")
def test_a_compiled_run_is_one_that_was_not(tiny):
    close(fitted(tiny, "equilibrium"), fitted(tiny, "equilibrium", compile=True))
