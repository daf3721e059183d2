"""Training on a GPU. Without one nothing here runs; with one: pytest tests/training/test_gpu.py."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml

from equimodal.cli.main import main
from equimodal.data.splits import Splits
from equimodal.errors import Interrupted
from equimodal.inference.evaluation import evaluate_run
from equimodal.methods.base import METHODS
from equimodal.models.classifier import Classifier
from equimodal.models.predict import class_probabilities
from equimodal.training.fit import fit
from equimodal.training.run import load
from synthetic import make_model
from training.runs import at_batch, fit_tiny, press_ctrl_c

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

GPU = {"accelerator": "cuda"}
PRECISIONS = ("32-true", "bf16-mixed")
CLOSE = 1e-4
"""Between what a GPU and a CPU make of the same weights; TF32 is off for matrix products, as torch has it."""


def weights(model: Classifier) -> dict[str, torch.Tensor]:
    return {name: tensor.cpu() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(("method", "precision"), list(product(METHODS.names(), PRECISIONS)))
def test_every_method_trains(tiny: Splits, method: str, precision: str) -> None:
    run = fit_tiny(tiny, method, precision=precision, **GPU)
    assert run.model.device.type == "cuda"
    for line in run.history:
        assert all(math.isfinite(loss) for loss in line["train"].values())
    assert all(tensor.isfinite().all() for tensor in weights(run.model).values())
    assert class_probabilities(run.model, tiny.test).shape == (len(tiny.test), len(tiny.classes))


@pytest.mark.parametrize("method", ["joint", "equilibrium:memory.dropout=0", "paper:memory.dropout=0"])
def test_a_gpu_learns_what_a_cpu_learns(tiny: Splits, method: str) -> None:
    models = [make_model(tiny, width=6, encoders={name: {"dropout": 0} for name in tiny.modalities}) for _ in range(2)]
    cpu, gpu = (
        fit_tiny(tiny, method, model=model, epochs=1, accelerator=where)
        for model, where in zip(models, ("cpu", "cuda"), strict=True)
    )
    assert gpu.history[0]["train"] == pytest.approx(cpu.history[0]["train"], rel=1e-2)
    torch.testing.assert_close(
        class_probabilities(gpu.model, tiny.test), class_probabilities(cpu.model, tiny.test), atol=2e-2, rtol=0
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_run_made_there_is_read_here(tiny: Splits, tmp_path: Path, precision: str) -> None:
    run = fit_tiny(tiny, "equilibrium", tmp_path / "run", precision=precision, **GPU)
    here = load(tmp_path / "run").model
    assert here.device.type == "cpu"
    there = class_probabilities(run.model, tiny.test)
    torch.testing.assert_close(class_probabilities(here, tiny.test), there, atol=CLOSE, rtol=0)
    torch.testing.assert_close(class_probabilities(run.model, tiny.test, batch_size=3), there, atol=CLOSE, rtol=0)


def test_an_interrupted_run_goes_on(tiny: Splits, tmp_path: Path) -> None:
    fit_tiny(tiny, "equilibrium", tmp_path / "whole", **GPU)
    with at_batch(3, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "equilibrium", tmp_path / "stopped", **GPU)
    fit_tiny(tiny, "equilibrium", tmp_path / "stopped", resume=True, **GPU)
    whole, stopped = (load(tmp_path / name).model for name in ("whole", "stopped"))
    torch.testing.assert_close(weights(whole), weights(stopped), atol=CLOSE, rtol=0)  # a GPU adds in any order


def test_the_reference_and_the_reading_of_a_kept_run(tmp_path: Path) -> None:
    from equimodal.data.catalogue import load as load_data

    data = load_data("emoji", labels=100)
    run = fit(Classifier.for_data(data), data, out=tmp_path / "run", epochs=1, quiet=True, **GPU)
    assert run.test.utilisation is not None
    assert evaluate_run(tmp_path / "run").scores["loss"] == pytest.approx(run.test.scores["loss"], abs=1e-3)


@pytest.mark.parametrize("command", [["compare"], ["analyse", "order"], ["analyse", "tau"], ["analyse", "ablation"]])
def test_comparisons_and_analyses(tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = {
        "data": {"name": "emoji", "labels": 60},
        "training": {"epochs": 1, **GPU},
        "measure": {"bootstrap": 10},
        "compare": {"seeds": 2, "methods": ["equilibrium"] if "analyse" in command else ["joint", "equilibrium"]},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    arguments = [*command, str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["equimodal", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert (tmp_path / "out" / "report.html").exists()
