"""Relative paths in YAML files, wherever in a configuration they may be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from equimodal.config.load import load_config
from equimodal.config.paths import from_folder
from equimodal.config.run import build_config
from equimodal.errors import ConfigError


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, beside the current one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folder = tmp_path / "recipes"
    (folder / "minilm").mkdir(parents=True)
    (folder / "net.safetensors").touch()
    return folder


def test_every_path_of_a_comparison_is_seen_from_the_recipe(recipes: Path):
    net = {"name": "resnet18", "weights": "net.safetensors"}
    content = {
        "data": {"name": "sets/own"},
        "model": {"encoders": {"image": net, "text": {"name": "transformers", "model": "minilm"}, "audio": "gru"}},
        "features": {"cache": "kept"},
        "compare": {
            "settings": [
                "emoji",
                "sets/other",
                {"label": "third", "data": {"name": "x.npz"}, "model": {"encoders": {"image": net}}},
            ],
            "encoders": [{"label": "small"}, {"label": "pretrained", "encoders": {"image": net}}],
            "tune": {
                "trials": 3,
                "grid": {
                    "training.learning_rate": [0.1],
                    "model.encoders.text.model": ["minilm", "org/on-the-hub"],
                    "model.encoders.image": ["cnn", net],
                },
            },
        },
    }
    (recipes / "mine.yaml").write_text(yaml.safe_dump(content))
    config, there = load_config(recipes / "mine.yaml"), {**net, "weights": str(recipes / "net.safetensors")}
    assert config.data.name == str(recipes / "sets/own")
    text = {"name": "transformers", "model": str(recipes / "minilm")}
    assert config.model.encoders == {"image": there, "text": text, "audio": "gru"}
    assert config.features.cache == str(recipes / "kept")
    assert [setting.to_dict() for setting in config.compare.settings] == [
        {"label": "emoji", "data": {"name": "emoji"}},
        {"label": "sets/other", "data": {"name": str(recipes / "sets/other")}},
        {"label": "third", "data": {"name": str(recipes / "x.npz")}, "model": {"encoders": {"image": there}}},
    ]
    assert [arm.encoders for arm in config.compare.encoders] == [{}, {"image": there}]
    assert config.compare.tune is not None
    assert config.compare.tune.grid == {
        "training.learning_rate": [0.1],
        "model.encoders.text.model": [str(recipes / "minilm"), "org/on-the-hub"],
        "model.encoders.image": ["cnn", there],
    }


def test_a_section_is_located_in_a_setting_as_it_is_outside(recipes: Path):
    """Settings have no `features` today; one that gets them cannot be forgotten."""
    sections = {"data": {"name": "./own"}, "features": {"cache": "kept"}}
    found = from_folder({**sections, "compare": {"settings": [{"label": "a", **sections}]}}, recipes, None)
    (setting,) = found["compare"]["settings"]
    assert setting == {"label": "a", "data": found["data"], "features": found["features"]}
    assert found["features"] == {"cache": str(recipes / "kept")}


def test_only_weights_and_models_that_are_typed_are_seen_from_the_current_folder(recipes: Path):
    (recipes / "mine.yaml").write_text("data: {name: own/}\n")
    Path("typed.safetensors").touch()
    said = "{name: resnet18, weights: typed.safetensors}"
    setting = f"{{label: x, model: {{encoders: {{i: {said}}}}}}}"
    typed = ["data.name=a/b", f"model.encoders.image={said}", f"compare.settings=[{setting}]"]
    config = load_config(recipes / "mine.yaml", typed)
    there = {"name": "resnet18", "weights": str(Path("typed.safetensors").absolute())}
    assert config.data.name == "a/b" and config.model.encoders == {"image": there}
    assert config.compare.settings[0].changes == {"model": {"encoders": {"i": there}}}


def test_home_is_known_and_a_user_that_there_is_not_is_a_name(recipes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(recipes))
    (recipes / "mine.yaml").write_text("data: {name: ~/own}\nfeatures: {cache: ~/kept}\n")
    config = load_config(recipes / "mine.yaml")
    assert config.data.name == str(recipes / "own") and config.features.cache == str(recipes / "kept")
    stranger = build_config({"features": {"cache": "~nobody-is-called-so/kept"}})
    assert stranger.features.cache == str(Path("~nobody-is-called-so/kept").absolute())


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"label": "a", "data": "emoji"}, "compare.settings.0.changes.data: input should be a valid dictionary"),
        ({"data": "emoji"}, "compare.settings.0.label: input should be a valid string"),
        ({"label": "a", "changes": {"features": {}}}, "compare.settings.0: unknown section 'features'"),
        ({"label": "a", "features": {"cache": "x"}}, "compare.settings.0: unknown section 'features'"),
        (7, "compare.settings.0: input should be"),
    ],
)
def test_settings_of_a_wrong_form_are_told(recipes: Path, setting: object, problem: str):
    (recipes / "mine.yaml").write_text(yaml.safe_dump({"compare": {"settings": [setting], "encoders": [3]}}))
    with pytest.raises(ConfigError) as told:
        load_config(recipes / "mine.yaml")
    assert any(each.startswith(problem) for each in told.value.problems), told.value.problems
    assert any(each.startswith("compare.encoders.0: input should be") for each in told.value.problems)
