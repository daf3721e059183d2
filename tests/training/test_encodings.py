"""Encodings that a run keeps while it trains: which rows, which epochs, and that a stop changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from equimodal.errors import ConfigError, Interrupted, RunError
from equimodal.models.encoded import encode_all, joined
from equimodal.training.encodings import KeptEncodings, encodings_file, read_encodings

from .runs import EPOCHS, at_batch, fit_tiny, press_ctrl_c

KEEP = {"bootstrap": 0, "encodings": {"epochs": [0, EPOCHS], "rows": 7}}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "encodings").iterdir()}


def ids_of(part) -> list[str]:
    return [str(name) for name in part.ids]


def assert_of(kept: KeptEncodings, model, part) -> None:
    """Assert that the encodings are what the model makes of the rows of that part."""
    whole = joined(encode_all(model, model.prepare(part)))
    at = [ids_of(part).index(name) for name in kept.ids]
    assert torch.equal(kept.labels, whole.labels[at])
    for name in model.modalities:
        assert torch.equal(kept.present[name], whole.present[name][at])
        assert torch.allclose(kept.encodings[name], whole.encodings[name][at], atol=1e-5)
    with torch.no_grad():
        logits = model.fuse(kept.encodings, kept.present)
    assert torch.allclose(kept.logits, logits, atol=1e-5)


def test_the_encodings_of_validation_rows_are_those_of_the_model_then(tiny, tmp_path):
    run = fit_tiny(tiny, "joint", tmp_path / "run", measure=KEEP, select="loss")
    assert set(files(tmp_path / "run")) == {"epoch-0.safetensors", f"epoch-{EPOCHS}.safetensors"}
    before, after = (read_encodings(tmp_path / "run", epoch) for epoch in (0, EPOCHS))
    assert before.ids == after.ids and len(before.ids) == 7 == len(set(before.ids))
    assert set(before.ids) <= set(ids_of(tiny.validation)) and not set(before.ids) & set(ids_of(tiny.test))
    assert not torch.equal(before.encodings["vector"], after.encodings["vector"])
    if run.best_epoch == EPOCHS:  # the kept weights are those of the last epoch
        assert_of(after, run.model, tiny.validation)
    representation = torch.cat([after.encodings[name] for name in run.model.modalities], 1)
    everything = torch.stack(list(after.present.values())).all(0)
    assert after.representation is not None
    assert torch.equal(after.representation[everything], representation[everything])


@pytest.mark.parametrize("method", ["equilibrium", "unimodal_ensemble", "umt"])
def test_epoch_0_is_before_training_and_trials_are_not_counted(tiny, tmp_path, method):
    from synthetic import make_model

    model = make_model(tiny, width=6)
    untrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run = fit_tiny(tiny, method, tmp_path / "run", model=model, measure=KEEP)
    kept = read_encodings(tmp_path / "run", 0)
    run.model.load_state_dict(untrained, strict=False)  # all but the fusion, which the method brought
    whole = joined(encode_all(run.model, run.model.prepare(tiny.validation)))
    at = [ids_of(tiny.validation).index(name) for name in kept.ids]
    assert torch.allclose(kept.encodings["vector"], whole.encodings["vector"][at], atol=1e-5)
    last = read_encodings(tmp_path / "run", EPOCHS)
    assert last.representation is None or method == "umt"
    assert not torch.equal(last.encodings["vector"], kept.encodings["vector"])


@pytest.mark.parametrize("batch", [1, 3])  # in the first epoch, and in the second
def test_a_run_that_was_stopped_keeps_the_same_to_the_bit(tiny, tmp_path, batch):
    fit_tiny(tiny, "equilibrium", tmp_path / "whole", measure=KEEP)
    with at_batch(batch, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "equilibrium", tmp_path / "run", measure=KEEP)
    fit_tiny(tiny, "equilibrium", tmp_path / "run", measure=KEEP, resume=True)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_keeping_encodings_changes_nothing_else(tiny, tmp_path):
    plain = fit_tiny(tiny, "equilibrium", tmp_path / "plain", measure={"bootstrap": 0}, reference=True)
    kept = fit_tiny(tiny, "equilibrium", tmp_path / "kept", measure=KEEP, reference=True)
    assert plain.test.to_dict() == kept.test.to_dict()
    assert not (tmp_path / "kept" / "reference" / "encodings").exists()
    assert not (tmp_path / "plain" / "encodings").exists()


def test_the_rows_are_those_of_the_seed_and_no_more_than_there_are(tiny, tmp_path):
    many = {"bootstrap": 0, "encodings": {"epochs": [1], "rows": 500}}
    fit_tiny(tiny, "joint", tmp_path / "many", measure=many)
    assert read_encodings(tmp_path / "many", 1).ids == tuple(ids_of(tiny.validation))
    drawn = []
    for seed in (0, 1):
        fit_tiny(tiny, "joint", tmp_path / str(seed), measure=KEEP, seed=seed)
        drawn.append(read_encodings(tmp_path / str(seed), 0).ids)
    assert drawn[0] != drawn[1]


def test_mistakes_are_said(tiny, tmp_path):
    with pytest.raises(ConfigError, match=r"kept in the run's folder, and it has none\. Give one: out="):
        fit_tiny(tiny, "joint", measure=KEEP)
    with pytest.raises(ConfigError, match=r"epoch 9 is beyond training, which has 2"):
        fit_tiny(tiny, "joint", tmp_path / "run", measure={"encodings": {"epochs": [9]}})
    assert not (tmp_path / "run").exists()
    fit_tiny(tiny, "joint", tmp_path / "run", measure=KEEP)
    with pytest.raises(RunError, match=r"epoch-1\.safetensors: no such file\. The run kept no encodings of epoch 1"):
        read_encodings(tmp_path / "run", 1)
    path = encodings_file(tmp_path / "run", 0)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match="damaged or cut short"):
        read_encodings(tmp_path / "run", 0)
    path.write_bytes((tmp_path / "run" / "model.safetensors").read_bytes())
    with pytest.raises(RunError, match="holds no encodings"):
        read_encodings(tmp_path / "run", 0)
