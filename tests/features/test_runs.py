"""Runs with a cache of features: the same numbers, and each row encoded once."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from equimodal.comparison.compare import compare
from equimodal.config.run import build_config
from equimodal.data.catalogue import load_configured
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.features.cache import open_cache
from equimodal.features.manifest import read_manifest
from equimodal.features.place import entries
from equimodal.inference.evaluation import evaluate_run
from equimodal.inference.predictions import write_predictions
from equimodal.models.classifier import Classifier
from equimodal.models.predict import predict
from equimodal.training.fit import fit, train
from equimodal.training.run import load
from features.encoder import register
from synthetic import make_dataset
from training.runs import assert_same_weights, lines_of

SHORT = {"epochs": 2, "batch_size": 24, "reference": False, "measure": {"bootstrap": 0}, "quiet": True}
ENCODERS = {"vector": "projected", "sequence": {"name": "projected", "hidden": 4}}


@pytest.fixture(autouse=True)
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the frozen projection has had."""
    return register(monkeypatch)


def whole(*, ragged: bool = False) -> Dataset:
    """Return rows of which some are absent, with sequences padded or each as long as it is."""
    data = make_dataset(80, modalities=("vector", "sequence"))
    if not ragged:
        return data
    rows = [row[:steps] for row, steps in zip(data.arrays["sequence"], data.lengths["sequence"], strict=True)]
    return Dataset(
        {"vector": data.arrays["vector"], "sequence": rows}, data.labels, present=data.present, classes=data.classes
    )


def model_for(data: Splits) -> Classifier:
    return Classifier.for_data(data, ENCODERS, width=6)


@pytest.mark.parametrize("ragged", [False, True])
def test_a_run_gives_the_same_bits_with_and_without_a_cache(tmp_path: Path, ragged: bool):
    data = whole(ragged=ragged).split(seed=0)
    for name in ("without", "with", "again"):
        features = {} if name == "without" else {"cache": tmp_path / "cache"}
        fit(model_for(data), data, "joint", out=tmp_path / name, features=features, **SHORT)
    plain = load(tmp_path / "without")
    for name in ("with", "again"):
        run = load(tmp_path / name)
        assert_same_weights(run.model.trained_state(), plain.model.trained_state())
        assert lines_of(tmp_path / name) == lines_of(tmp_path / "without")
        assert run.test == plain.test
        assert run.config.hash() == plain.config.hash()


def test_redrawn_splits_and_seeds_encode_a_present_row_once_and_absent_ones_never(tmp_path: Path, encoded: list[int]):
    data = whole(ragged=True)
    for seed in (0, 1):
        splits = data.split(seed=seed)
        fit(model_for(splits), splits, "joint", seed=seed, features={"cache": tmp_path}, **SHORT)
    steps = data.lengths["sequence"][data.present["sequence"]].sum()  # a call is given one sequence, or many vectors
    assert sum(encoded) == data.present["vector"].sum() + steps
    before = len(encoded)
    splits = data.split(seed=2)
    fit(model_for(splits), splits, "joint", features={"cache": tmp_path}, **SHORT)
    assert len(encoded) == before
    held = {found.modality: found.rows for entry in entries(tmp_path) if (found := read_manifest(entry))}
    assert len(list(entries(tmp_path))) == 2
    assert held == {name: int(mask.sum()) for name, mask in data.present.items()}


def test_predictions_and_evaluation_use_the_cache_of_the_run_and_need_none(tmp_path: Path, encoded: list[int]):
    data = whole().split(seed=0)
    run = fit(model_for(data), data, "joint", out=tmp_path / "run", features={"cache": tmp_path / "cache"}, **SHORT)
    encoded.clear()
    with_cache = run.predict(data.test).probabilities
    assert encoded == []
    assert np.array_equal(predict(run, data.test).probabilities, with_cache)
    assert encoded != []
    again = predict(run, data.test, ["vector"], cache=tmp_path / "new").probabilities
    assert np.array_equal(again, predict(run, data.test, ["vector"]).probabilities)


def test_the_commands_to_evaluate_and_predict_use_it_too(tmp_path: Path, encoded: list[int]):
    rows = whole()
    path = tmp_path / "data.npz"
    np.savez(path, vector=rows.arrays["vector"], sequence=rows.arrays["sequence"], labels=rows.labels)
    config = build_config(
        {
            "data": {"name": str(path)},
            "model": {"encoders": ENCODERS, "width": 6},
            "method": "joint",
            "training": {"epochs": 1},
            "features": {"cache": str(tmp_path / "cache")},
            "reference": False,
        }
    )
    train(config, load_configured(config.data), folder=tmp_path / "run", quiet=True)
    encoded.clear()
    measured = evaluate_run(tmp_path / "run")
    assert measured.to_dict()["accuracy"] == load(tmp_path / "run").test.accuracy
    write_predictions(tmp_path / "run", str(path), tmp_path / "one.csv")
    assert encoded == []
    (tmp_path / "cache").rename(tmp_path / "elsewhere")  # as on another machine
    write_predictions(tmp_path / "run", str(path), tmp_path / "two.csv")
    assert encoded != []
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert not (tmp_path / "cache").exists()


def test_the_runs_of_a_comparison_share_it(tmp_path: Path, encoded: list[int]):
    data = whole(ragged=True).split(seed=0)
    options = {"encoders": ENCODERS, "width": 6, "epochs": 1, "quiet": True, "measure": {"bootstrap": 0}}
    plain = compare(data, ["joint"], seeds=2, **options)
    encoded.clear()
    cached = compare(data, ["joint"], seeds=2, features={"cache": tmp_path}, **options)
    assert cached.values("joint", "accuracy") == plain.values("joint", "accuracy")
    rows = {name: [part.present[name] for part in data.parts().values()] for name in data.modalities}
    assert len(encoded) < sum(len(mask) for masks in rows.values() for mask in masks)


def test_a_memory_map_and_a_batch_of_features(tmp_path: Path):
    np.save(tmp_path / "x.npy", whole().arrays["vector"])
    data = whole()
    mapped = data.replace_column("vector", ArrayColumn(np.load(tmp_path / "x.npy", mmap_mode="r"), "vector"))
    splits = data.split(seed=0)
    prepared = model_for(splits).prepare(mapped, open_cache(tmp_path / "cache"))
    batch = prepared.batch(np.arange(10))
    x = batch.inputs["vector"]
    assert isinstance(x, dict)
    assert x["features"].shape == (10, 5)
    assert x["features"].dtype == torch.float32
    assert "vector" not in batch.lengths
    tokens = batch.inputs["sequence"]
    assert isinstance(tokens, dict)
    here = data.present["sequence"][:10]
    assert batch.lengths["sequence"].tolist() == np.where(here, data.lengths["sequence"][:10], 1).tolist()
    assert tokens["features"].shape == (10, data.lengths["sequence"][:10][here].max(), 4)
    assert not tokens["features"][~torch.from_numpy(here)].any()


def test_processes_that_read_ahead_give_the_same_batches(tmp_path: Path):
    data = whole(ragged=True)
    prepared = model_for(data.split(seed=0)).prepare(data, open_cache(tmp_path))
    pairs = zip(prepared.batches(30), prepared.batches(30, workers=1), strict=True)
    for one, other in pairs:
        for name in data.modalities:
            first, second = one.inputs[name], other.inputs[name]
            assert isinstance(first, dict)
            assert isinstance(second, dict)
            assert torch.equal(first["features"], second["features"])


def test_an_earlier_revision_in_the_configuration_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    data = whole().split(seed=0)
    for revision in ("a", "b"):
        encoders = {"vector": {"name": "projected", "revision": revision}}
        with caplog.at_level(logging.WARNING, "equimodal.features"):
            Classifier.for_data(data, encoders, width=6).prepare(data.train, open_cache(tmp_path))
    assert "vector: features of another version of projected" in caplog.text


@pytest.mark.parametrize("wrong", [3, "", ["a"], 1.5])
def test_a_cache_that_is_no_folder_is_a_mistake_of_the_configuration(wrong: object):
    data = whole().split(seed=0)
    with pytest.raises(ConfigError, match=r"features.cache: expected a folder, true or null, got"):
        fit(model_for(data), data, "joint", features={"cache": wrong}, **SHORT)
    with pytest.raises(ConfigError, match="features: expected options, for instance"):
        fit(model_for(data), data, "joint", features="here", **SHORT)  # pyright: ignore[reportArgumentType]
