"""A run measured again: on the rows it was told on and no other, or on other data."""

import numpy as np
import pytest

import equimodal as eq
from equimodal.comparison.compare import compare
from equimodal.config.run import build_config
from equimodal.data.catalogue import load
from equimodal.errors import ConfigError, DataError
from equimodal.inference.evaluation import evaluate_run, rows_to_predict
from equimodal.inference.predictions import write_predictions
from equimodal.training.fit import train

QUICK = {"epochs": 1, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}


def write(folder, rows=90, seed=0, parts=None):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    folder.mkdir(exist_ok=True)
    np.save(folder / "a.npy", rng.normal(size=(rows, 3)) + labels[:, None])
    np.save(folder / "b.npy", rng.normal(size=(rows, 2)))
    np.save(folder / "labels.npy", labels)
    if parts is not None:
        (folder / "split.txt").write_text("\n".join(parts) + "\n")
    return folder


def fit(splits, out, **options):
    return eq.fit(eq.Classifier.for_data(splits, width=4), splits, "joint", out=out, **{**QUICK, **options})


def test_a_run_on_a_redrawn_split_is_measured_on_the_same_test_rows(tmp_path):
    splits = load("mfeat", labels=40, split_seed=5)
    run = fit(splits, tmp_path / "run")
    assert evaluate_run(tmp_path / "run").scores == run.test.scores
    assert evaluate_run(tmp_path / "run", "mfeat").scores == run.test.scores
    assert evaluate_run(tmp_path / "run", split="validation").scores == run.validation.scores


def test_the_runs_of_a_comparison_are_measured_on_their_own_rows(tmp_path):
    compare(load("mfeat"), ["joint"], seeds=2, out=tmp_path / "out", epochs=1, quiet=True, measure={"bootstrap": 0})
    run = eq.load(tmp_path / "out" / "joint" / "seed-1")
    assert evaluate_run(tmp_path / "out" / "joint" / "seed-1").scores == run.test.scores


def test_rows_that_cannot_be_had_again_are_never_replaced_by_others(tmp_path):
    splits = load("mfeat").redraw(3)  # drawn in Python: the folder only knows the name
    fit(splits, tmp_path / "run")
    for data in (None, "mfeat"):
        with pytest.raises(DataError, match="training rows could pass for test rows"):
            evaluate_run(tmp_path / "run", data)


def test_a_path_whose_rows_changed_is_not_what_the_run_was_trained_on(tmp_path):
    own = write(tmp_path / "own")
    run = fit(load(own), tmp_path / "run")
    assert evaluate_run(tmp_path / "run").scores == run.test.scores
    assert evaluate_run(tmp_path / "run", str(own)).scores == run.test.scores
    write(own, seed=1)
    with pytest.raises(DataError, match="is not what the run"):
        evaluate_run(tmp_path / "run")


def test_data_made_in_python_are_asked_for(tmp_path):
    rng = np.random.default_rng(0)
    data = eq.Dataset({"a": rng.normal(size=(90, 3)), "b": rng.normal(size=(90, 2))}, np.arange(90) % 3, name="mine")
    fit(data.split(seed=0), tmp_path / "run")
    with pytest.raises(DataError, match=r"cannot be loaded again.*--data PATH"):
        evaluate_run(tmp_path / "run")
    assert evaluate_run(tmp_path / "run", str(write(tmp_path / "other"))).samples == 90


def test_all_rows_of_other_data_in_their_order_or_one_part(tmp_path):
    own = write(tmp_path / "own")
    run = fit(load(own), tmp_path / "run")
    parts = list(np.repeat(["test", "train", "validation"], 30))
    other = str(write(tmp_path / "other", seed=2, parts=parts))
    assert rows_to_predict(run, other, None).ids.tolist() == list(range(90))
    assert len(rows_to_predict(run, other, "train")) == 30
    assert rows_to_predict(run, str(own), None).ids.tolist() == list(range(90))
    assert evaluate_run(tmp_path / "run", other).samples == 30
    assert write_predictions(tmp_path / "run", other, tmp_path / "p.csv").samples == 90


def test_a_part_of_data_without_parts_is_refused(tmp_path):
    fit(load(write(tmp_path / "own")), tmp_path / "run")
    other = str(write(tmp_path / "other", seed=2))
    for call in (evaluate_run, lambda *a, **k: write_predictions(*a, tmp_path / "p.csv", **k)):
        with pytest.raises(ConfigError, match="is not split into parts"):
            call(tmp_path / "run", other, split="train")
    assert not (tmp_path / "p.csv").exists()
    with pytest.raises(ConfigError, match="Did you mean 'test'"):
        evaluate_run(tmp_path / "run", split="tset")


def test_train_writes_what_evaluate_reads(tmp_path):
    config = build_config(
        {
            "data": {"name": "mfeat", "labels": 60, "split_seed": 2},
            "model": {"width": 4},
            "method": "joint",
            "training": {"epochs": 1},
            "measure": {"bootstrap": 0},
            "reference": False,
        }
    )
    run = train(config, load("mfeat", 60, 2), folder=tmp_path / "run", quiet=True)
    assert evaluate_run(tmp_path / "run").scores == run.test.scores


@pytest.mark.parametrize("settings", [{"split_seed": 5}, {"labels": 40}, {"labels": 40, "split_seed": 5}])
def test_a_comparison_in_python_of_loaded_data_repeats_their_rows(tmp_path, settings):
    options = {"epochs": 1, "quiet": True, "measure": {"bootstrap": 0}, "redraw": "none"}
    compare(load("mfeat", **settings), ["joint"], seeds=1, out=tmp_path / "out", **options)
    folder = tmp_path / "out" / "joint" / "seed-0"
    assert evaluate_run(folder).scores == eq.load(folder).test.scores


def test_labels_of_other_data_are_counted_by_name(tmp_path):
    run = fit(load(write(tmp_path / "own")), tmp_path / "run")
    other = write(tmp_path / "other", rows=30, seed=2)
    labels = np.arange(30) % 3
    expected = evaluate_run(tmp_path / "run", str(other)).scores
    assert run.model.classes == ("0", "1", "2")
    for same in (labels.astype(str), labels.astype("U9"), labels.astype("S1"), labels.astype(np.uint8)):
        np.save(other / "labels.npy", same)
        assert evaluate_run(tmp_path / "run", str(other)).scores == expected
    np.save(other / "labels.npy", labels + 1)
    with pytest.raises(DataError, match=r"the labels 3 are none of the known classes \(0, 1, 2\)"):
        evaluate_run(tmp_path / "run", str(other))
