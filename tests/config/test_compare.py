"""What a configuration may say about a comparison, and its mistakes."""

import pytest

from equimodal.config.compare import Primary
from equimodal.config.run import build_config
from equimodal.errors import ConfigError


def compared(**content):
    return build_config({"compare": {"methods": ["joint", "uniform"], **content}})


def test_every_setting_survives_writing_and_reading():
    config = compared(
        settings=["emoji", {"label": "few", "data": {"name": "mfeat", "labels": 200}, "training": {"epochs": 3}}],
        primary=["uniform vs joint", {"method": "uniform", "against": "joint", "column": "edm", "setting": "few"}],
        tune={"trials": 3, "grid": {"training.learning_rate": [1e-3, 1e-2]}, "own": {"uniform": {"weight": [0.5, 2]}}},
        encoders=[
            {"label": "one", "encoders": {"image": {"name": "cnn", "width": 8}, "text": "gru"}},
            {"label": "two"},
        ],
    )
    assert [setting.label for setting in config.compare.settings] == ["emoji", "few"]
    assert config.compare.settings[0].changes == {"data": {"name": "emoji"}}
    assert config.compare.primary[0] == Primary(method="uniform", against="joint")
    assert str(config.compare.primary[1]) == "uniform vs joint, edm, few"
    assert config.compare.problems() == []
    assert build_config(config.to_dict()) == config


def test_what_is_compared_does_not_change_a_runs_hash():
    arms = [{"label": "one"}, {"label": "two", "encoders": {"image": "cnn"}}]
    assert compared(seeds=3, settings=["emoji"], encoders=arms).hash() == compared().hash()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"settings": [{"label": "x", "dta": {}}]}, "unknown section 'dta'. Did you mean 'data'?"),
        ({"settings": [3]}, "compare.settings.0"),
        ({"primary": ["uniform joint"]}, "expected 'METHOD vs METHOD' or a mapping, got 'uniform joint'"),
        ({"primary": ["uniform vs joint"] * 6}, "at most 5"),
        ({"tune": {"trials": 2, "grid": {"seed": [1, 2]}}}, "'seed' cannot be tuned"),
        ({"tune": {"trials": 2, "grid": {"training.epochs": []}}}, "at least 1"),
        ({"tune": {"trials": 1}}, "compare.tune.trials"),
        ({"encoders": [{"encoders": {"image": "cnn"}}]}, "compare.encoders.0.label: field required"),
        (
            {"encoders": [{"label": "one", "encoders": {"image": {"name": 3}}}]},
            "compare.encoders (one).image: expected",
        ),
        ({"encoders": [{"label": "one", "encoders": ["cnn"]}]}, "compare.encoders.0.encoders"),
    ],
)
def test_wrong_forms_are_errors(content, message):
    with pytest.raises(ConfigError) as raised:
        compared(**content)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"primary": ["uniforn vs joint"]}, "no method is called 'uniforn'. Did you mean 'uniform'?"),
        ({"primary": ["joint vs joint"]}, "set against itself"),
        (
            {"settings": ["emoji"], "primary": [{"method": "uniform", "against": "joint", "setting": "emojy"}]},
            "no setting is called 'emojy'. Did you mean 'emoji'?",
        ),
        ({"settings": ["emoji", "emoji"]}, "'emoji' is there twice"),
        ({"encoders": [{"label": "one"}, {"label": "one"}]}, "compare.encoders: 'one' is there twice"),
        ({"tune": {"trials": 2, "own": {"unifrom": {"weight": [1]}}}}, "no method is called 'unifrom'"),
        ({"tune": {"trials": 2}}, "expected grid or own with some values"),
    ],
)
def test_names_that_fit_nothing_are_found(content, message):
    (found,) = compared(**content).compare.problems()
    assert message in found
