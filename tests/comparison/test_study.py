"""A study of two settings: what is where, what goes on, what is decided, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from analyses.made_up import config, write_data
from comparison.made_up import comparison
from equimodal.comparison import jobs
from equimodal.comparison import study as study_module
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.primary import decide
from equimodal.comparison.study import Study, load_study, run_study, setting_config
from equimodal.config.compare import Primary
from equimodal.config.load import load_config
from equimodal.config.run import build_config
from equimodal.data.catalogue import load_unreduced
from equimodal.errors import ConfigError, RunError
from equimodal.statistics.ranks import rank
from equimodal.training.names import NAMES

SETTINGS = [
    {"label": "few labels", "data": {"labels": 40}},
    {"label": "more", "data": {"labels": 80}, "training": {"learning_rate": 0.01}},
]
CONTENT = {
    "data": {"name": "mfeat"},
    "model": {"width": 4},
    "training": {"epochs": 1},
    "measure": {"bootstrap": 0, "probe": 50},
    "compare": {
        "methods": ["joint", "alternating"],
        "seeds": 2,
        "settings": SETTINGS,
        "primary": ["alternating vs joint"],
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "out"
    return run_study(build_config(CONTENT), out=out, quiet=True, command="equimodal compare mine.yaml"), out


def test_each_setting_is_a_comparison_with_a_folder_of_its_own(finished):
    study, out = finished
    assert list(study.comparisons) == ["few labels", "more"]
    assert {path.name for path in out.iterdir() if path.name != ".lock"} == {
        "few-labels",
        "more",
        "study.json",
        "study.yaml",
    }
    config = setting_config(build_config(CONTENT), build_config(CONTENT).compare.settings[1])
    assert (config.data.labels, config.training.learning_rate, config.training.epochs) == (80, 0.01, 1)
    from equimodal.data.catalogue import load

    alone = run_comparison(config, load("mfeat"), quiet=True)
    assert alone.values("alternating", "accuracy") == study.comparisons["more"].values("alternating", "accuracy")


def test_a_study_is_loaded_as_it_was(finished):
    study, out = finished
    again = load_study(out)
    assert again.primary == study.primary and again.command == study.command
    for label, found in study.comparisons.items():
        assert again.comparisons[label].to_dict() == found.to_dict()
    told = json.loads((out / "study.json").read_text())
    assert told["decisions"][0]["primary"]["method"] == "alternating"
    assert set(told["ranks"]["ranks"]) == {"joint", "alternating"}


def test_finished_runs_are_kept(finished, monkeypatch):
    _, out = finished

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(jobs, "train", never)
    run_study(build_config(CONTENT), out=out, quiet=True)


def test_the_time_is_told_before_the_first_run(tmp_path, monkeypatch, capsys):
    def stop(*arguments: object, **options: object) -> None:
        raise RunError("enough")

    monkeypatch.setattr(jobs, "train", stop)
    with pytest.raises(RunError):
        run_study(build_config(CONTENT), out=tmp_path / "out")
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("few labels: 6 runs, about ") and told[1].startswith("more: 6 runs, about ")
    assert told[2].startswith("About ")


def test_mistakes_of_all_settings_are_told_at_once_and_leave_nothing(tmp_path):
    settings = [{"label": "one", "data": {"labels": 5}}, {"label": "two", "training": {"epochz": 3}}, "nowhere"]
    config = build_config({**CONTENT, "compare": {**CONTENT["compare"], "settings": settings}})
    with pytest.raises(ConfigError) as raised:
        run_study(config, out=tmp_path / "out", quiet=True)
    told = str(raised.value)
    assert "5" in told and "epochz" in told and "nowhere" in told
    assert not (tmp_path / "out").exists()


def test_settings_on_the_same_data_load_them_once(tmp_path, monkeypatch):
    loaded = []

    def counted(data):
        loaded.append((Path(data.name).name, data.split_seed))
        return load_unreduced(data)

    def stop(*arguments: object, **options: object) -> None:
        raise RunError("enough")

    monkeypatch.setattr(study_module, "load_unreduced", counted)
    monkeypatch.setattr(jobs, "train", stop)
    other = {"label": "other split", "data": {"split_seed": 7}}
    plain = config(write_data(tmp_path, rows=150), methods=["joint"], settings=[*SETTINGS, other])
    with pytest.raises(RunError, match="enough"):
        run_study(plain, out=tmp_path / "out", quiet=True)
    assert loaded == [("own.npz", None), ("own.npz", 7)]


def test_a_column_that_does_not_exist_is_told_before_the_first_run(tmp_path):
    primary = [{"method": "alternating", "against": "joint", "column": "missing_05"}]
    config = build_config({**CONTENT, "compare": {**CONTENT["compare"], "primary": primary}})
    with pytest.raises(ConfigError, match=r"few labels: .*no column 'missing_05'\. Did you mean 'missing_"):
        run_study(config, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_study_is_a_yaml(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(CONTENT))
    assert load_config(path) == build_config(CONTENT)


def test_ranks_and_decisions_over_settings():
    settings = {
        "one": comparison({"a": [0.6, 0.7], "b": [0.5, 0.65]}),
        "two": comparison({"a": [0.9, 0.8], "b": [0.95, 0.9]}),
    }
    study = Study(settings, (Primary(method="a", against="b"),))
    assert study.ranking() == rank({"a": [0.65, 0.85], "b": [0.575, 0.925]})
    assert study.decisions() == decide(settings, study.primary)
    assert np.isclose(study.decisions()[0].mean or 0, 0.0, atol=1e-12)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="not the folder of a study"):
        run_study(build_config(CONTENT), out=tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_recipe_of_the_users_is_not_replaced(tmp_path):
    """The folder that `--out` names may be the one where the recipe lies, by the name that a study gives its own."""
    written = "# mine\n" + yaml.safe_dump(CONTENT)
    (tmp_path / "study.yaml").write_text(written)
    with pytest.raises(RunError, match="not empty, and not the folder of a study"):
        run_study(build_config(CONTENT), out=tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]
    assert (tmp_path / "study.yaml").read_text() == written


def test_its_recipe_is_kept(finished):
    assert load_config(finished[1] / "study.yaml", names=NAMES) == build_config(CONTENT, NAMES)


def test_folders_that_hold_no_study(tmp_path):
    with pytest.raises(RunError, match="holds no finished study"):
        load_study(tmp_path)
    (tmp_path / "study.json").write_text('{"settings": 3}')
    with pytest.raises(RunError, match="damaged"):
        load_study(tmp_path)


def test_a_study_in_which_all_methods_tie_is_saved(tmp_path):
    same = comparison({"a": [0.5, 0.6], "b": [0.5, 0.6], "c": [0.5, 0.6]})
    study = Study({"one": same, "two": same})
    assert study.ranking().p is None
    assert json.loads(study.save(tmp_path).read_text())["ranks"]["p"] is None
