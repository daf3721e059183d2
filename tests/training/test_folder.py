"""A run's folder: what it tells, and what may not go on in it."""

import numpy as np
import pytest

from equimodal.config.run import build_config
from equimodal.data.catalogue import load as load_dataset
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError, RunError
from equimodal.models.classifier import Classifier
from equimodal.training.fit import fit, train
from equimodal.training.folder import read_config, read_provenance
from synthetic import make_model, make_splits
from training.runs import assert_same_weights, fit_tiny, names_in


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path, resume):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="not empty, and not the folder of a run"):
        fit_tiny(tiny, "joint", tmp_path / "thesis", resume=resume)
    assert names_in(tmp_path / "thesis") == ["thesis.tex"]
    with pytest.raises(RunError, match="is a file"):
        fit_tiny(tiny, "joint", tmp_path / "thesis" / "thesis.tex", resume=resume)


def test_a_recipe_of_the_users_is_not_the_folder_of_a_run(tiny, tmp_path):
    (tmp_path / "config.yaml").write_text("# mine\nseed: 3\n")
    with pytest.raises(RunError, match="not empty, and not the folder of a run"):
        fit_tiny(tiny, "joint", tmp_path, resume=True)
    assert names_in(tmp_path) == ["config.yaml"]


def test_a_copy_without_the_lock_file_is_resumed(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run")
    (tmp_path / "run" / ".lock").unlink()
    fit_tiny(tiny, "joint", tmp_path / "run", resume=True)


def test_the_folder_tells_the_model_and_other_encoders_do_not_go_on(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run")
    told = read_provenance(tmp_path / "run")["model"]
    assert told["encoders"]["vector"]["options"]["dropout"] == 0.2
    assert told["fusion"]["name"] == "concat"
    other = make_model(tiny, width=6, encoders={"vector": {"hidden": 13}})
    with pytest.raises(RunError, match=r"the model's encoders\.vector\.options\.hidden: 12 there, 13 here"):
        fit_tiny(tiny, "joint", tmp_path / "run", resume=True, model=other)


def test_a_fusion_of_the_users_choice_is_told(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run", model=make_model(tiny, width=6, fusion="gated"))
    assert read_config(tmp_path / "run").model.fusion == "gated"


def test_data_loaded_by_name_can_be_loaded_again_from_what_the_folder_tells(tmp_path):
    splits = load_dataset("mfeat", labels=40, split_seed=3)
    model = Classifier.for_data(splits, width=4)
    fit(model, splits, "joint", out=tmp_path / "run", epochs=1, reference=False, quiet=True, measure={"bootstrap": 0})
    told = read_config(tmp_path / "run").data
    again = load_dataset(told.name, labels=told.labels, split_seed=told.split_seed)
    assert again.fingerprint() == splits.fingerprint()


def test_rows_drawn_anew_are_not_told_as_those_of_the_name():
    splits = load_dataset("mfeat")
    assert splits.provenance["source"] == {"name": "mfeat", "labels": None, "split_seed": None}
    assert splits.redraw(1).provenance["source"] is None
    assert splits.scarce(40, 1).provenance["source"] is None


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.json"])
def test_what_was_deleted_of_a_finished_run_is_written_again(tiny, tmp_path, name):
    fit_tiny(tiny, "joint", tmp_path / "run")
    path = tmp_path / "run" / name
    before = path.read_bytes()
    path.unlink()
    fit_tiny(tiny, "joint", tmp_path / "run", resume=True)
    assert path.read_bytes() == before


# What does not fit together


def renamed(classes=("ant", "bee", "cat"), names=("vector", "sequence")):
    arrays = {names[0]: np.ones((60, 5)), names[1]: np.ones((60, 9, 3))}
    return Dataset(arrays, np.array(classes)[np.arange(60) % 3], name="mine").split(seed=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (renamed(classes=("x", "y", "z")), "classes are x, y, z, but the model was made for ant, bee, cat"),
        (renamed(names=("vector", "film")), "modalities are vector, film, but the model was made for vector, sequence"),
    ],
)
def test_a_model_of_other_data_is_refused(tiny, tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        fit_tiny(data, "joint", tmp_path / "run", model=make_model(tiny))
    assert not (tmp_path / "run").exists()


def test_arguments_of_the_wrong_kind_are_answered(tiny):
    model = make_model(tiny)
    with pytest.raises(DataError, match=r"Split it first: data\.split"):
        fit(model, tiny.train)
    with pytest.raises(DataError, match="got dict"):
        fit(model, {})
    with pytest.raises(ConfigError, match="expected a Classifier, got Linear"):
        fit(model.encoders["vector"].layers[0], tiny)
    with pytest.raises(ConfigError, match="'value': 'macro_f1'"):
        fit(model, tiny, measure="macro_f1")


def test_mistakes_in_several_sections_come_together(tiny):
    with pytest.raises(ConfigError) as raised:
        fit_tiny(tiny, "joint", measure={"target": {"smell": 1.0}}, accelerator="abacus")
    told = " ".join(raised.value.problems)
    assert "target" in told and "smell" in told and "training.accelerator" in told


def test_naming_the_methods_own_fusion_changes_nothing(tiny, tmp_path):
    def config(**model):
        settings = {"epochs": 1, "batch_size": 24}
        method = {"name": "equilibrium", "memory": {"dropout": 0.3}, "mapping": {"tau": 0.7}}
        return build_config({"method": method, "model": model, "training": settings, "reference": False})

    plain = train(config(width=4), tiny, quiet=True)
    named = train(config(width=4, fusion="memory"), tiny, quiet=True)
    assert named.model.fusion.options == plain.model.fusion.options
    assert named.model.fusion.options["dropout"] == 0.3
    assert_same_weights(named.model.state_dict(), plain.model.state_dict())


def test_a_model_that_was_fitted_is_not_for_another_method(tiny):
    run = fit_tiny(tiny, "equilibrium")
    with pytest.raises(ConfigError, match=r"by the method of an earlier fit.*make a new model"):
        fit_tiny(tiny, "alternating", model=run.model)


def test_a_budget_too_small_for_the_modalities_is_told_before_training(tmp_path):
    six = make_splits(80, modalities=tuple(f"vector_{i}" for i in range(6)))
    with pytest.raises(ConfigError, match="A budget of 6 coalitions is too small"):
        fit_tiny(six, "joint", tmp_path / "run", model=make_model(six), measure={"budget": 6})
    assert not (tmp_path / "run").exists()
