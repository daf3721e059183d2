"""Configurations: what they may say, how they are read and merged, and what is wrong with them."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from equimodal.config.load import load_config as load_form
from equimodal.config.load import merge_configs
from equimodal.config.recipes import read_recipe, recipe_names
from equimodal.config.run import DataConfig, RunConfig
from equimodal.config.run import build_config as build_form
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.training.names import NAMES, resolve


def build_config(content):
    return build_form(content, NAMES)


def load_config(source, overrides=(), content=None):
    return load_form(source, overrides, content, NAMES)


CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "reference": st.booleans(),
        "data": st.fixed_dictionaries({"name": st.text("abc/.", min_size=1)}, optional={"labels": st.integers(2, 999)}),
        "model": st.fixed_dictionaries(
            {"width": st.integers(1, 99), "encoders": st.just({"a": {"name": "mlp", "hidden": [3, 4]}, "b": "gru"})},
            optional={"fusion": st.sampled_from(["late", "gated"])},
        ),
        "training": st.fixed_dictionaries(
            {"learning_rate": st.floats(1e-6, 1.0), "clip_norm": st.none() | st.floats(0.1, 9)},
            optional={"optimiser": st.sampled_from(["adamw", "sgd"]), "warmup": st.floats(0, 0.9)},
        ),
        "measure": st.fixed_dictionaries(
            {"probe": st.none() | st.integers(2, 99), "target": st.just({"a": 0.25, "b": 0.75})}
        ),
        "method": st.sampled_from(
            [
                "joint",
                "paper",
                "modality_dropout:p=0.5",
                {"name": "equilibrium", "memory": {"encoders": True}, "label": "mine"},
                "equilibrium:order=[b,a],memory.dropout=0",
            ]
        ),
        "compare": st.fixed_dictionaries({"methods": st.just(["joint", {"name": "paper", "smoothing": 0.5}, "paper"])}),
    },
)


def options(method, **given):
    """Return all options of a method, as the class that it registers says."""
    return METHODS.get(method).Config.model_validate(given).model_dump(mode="json")


def problems(content):
    with pytest.raises(ConfigError) as caught:
        build_config(content)
    return caught.value.problems


# Round trips


@given(CONTENT)
def test_a_configuration_survives_yaml(content):
    config = build_config(content)
    written = yaml.safe_dump(config.to_dict(), sort_keys=False)
    again = build_config(yaml.safe_load(written))
    assert again == config
    assert again.hash() == config.hash()
    json.dumps(config.to_dict(), allow_nan=False)


def test_the_hash_is_stable_and_of_everything_but_the_comparison():
    one = build_config({"seed": 3, "training": {"epochs": 5, "patience": 2}})
    same = build_config({"training": {"patience": 2, "epochs": 5}, "seed": 3, "compare": {"seeds": 9}})
    assert one.hash() == same.hash()
    others = [
        {"seed": 4},
        {"training": {"epochs": 6}},
        {"method": "joint"},
        {"method": "equilibrium:smoothing=0.1"},
        {"data": {"labels": 400}},
        {"measure": {"probe": None}},
        {"measure": {"encodings": {"epochs": [0]}}},
        {"model": {"width": 65}},
        {"reference": False},
        {"data": {"split_seed": 0}},
    ]
    base = {"seed": 3, "training": {"epochs": 5, "patience": 2}}
    nothing_kept = merge_configs(base, {"measure": {"encodings": {"rows": 9}}})
    assert build_config(nothing_kept).hash() == one.hash()
    assert len({one.hash()} | {build_config(merge_configs(base, other)).hash() for other in others}) == 1 + len(others)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("=1e-1", "=0.1"),  # YAML takes 1e-1 for a word
        ("='0.1'", "=0.1"),
        ("=0", "=0.0"),
        ("=0.2", None),  # the default, spelt out
    ],
)
def test_options_that_mean_the_same_are_the_same(one, other):
    def configured(value):
        if value is None:
            return [load_config("equilibrium")] * 2
        return [load_config(None, [f"method.memory.dropout{value}"]), load_config(f"equilibrium:memory.dropout{value}")]

    first, *others = [*configured(one), *configured(other)]
    for config in others:
        assert config.method.options == first.method.options
        assert config.hash() == first.hash()
        assert config.to_dict()["method"] | {"label": ""} == first.to_dict()["method"] | {"label": ""}


def test_what_a_method_is_called_does_not_decide_the_result():
    plain, called = (build_config({"method": {"name": "joint"} | label}) for label in ({}, {"label": "mine"}))
    assert plain.hash() == called.hash()
    assert called.to_dict()["method"]["label"] == "mine"
    assert called.hash() != build_config({"method": {"name": "uniform", "label": "mine"}}).hash()


def test_a_configuration_is_written_with_the_methods_defaults():
    written = build_config({"method": "modality_dropout", "compare": {"methods": ["equilibrium"]}}).to_dict()
    assert written["method"] == {"name": "modality_dropout", **METHODS.get("modality_dropout").Config().model_dump()}
    assert written["compare"]["methods"][0]["memory"]["dropout"] == 0.2


# Mistakes


def test_all_mistakes_are_reported_at_once():
    found = problems(
        {
            "trainin": {},
            "training": {"epoch": 3, "batch_size": 0, "warmup": 1.0},
            "method": {"name": "equilibrium", "memory": {"encoder": True, "dropout": 2}},
            "model": {"fusion": "concatt", "encoders": {"c": 3, "d": "mlp"}},
            "compare": {"methods": ["jiont", "joint", {"name": "uniform", "weigth": 2}], "sedes": 3},
            "measure": {"value": "acuracy", "target": {"a": 1.2, "b": 0}},
        }
    )
    expected = (
        "Unknown key 'method.memory.encoder'. Did you mean 'encoders'?",
        "method.memory.dropout: input should be less than 1, got 2.",
        "model.fusion: Unknown fusion 'concatt'. Did you mean 'concat'?",
        "model.encoders.c: input should be a valid string, or a valid dictionary, got 3.",
        "compare.methods.0 (jiont): Unknown method 'jiont'. Did you mean 'joint'?",
        "compare.methods.2 (uniform): Unknown key 'weigth'. Did you mean 'weight'?",
        "measure.target: the share of 'b' must be above 0, got 0.",
        "measure.target: the shares must sum to 1, got 1.2.",
        "Unknown key 'training.epoch'. Did you mean 'epochs'?",
        "training.batch_size: input should be greater than or equal to 1, got 0.",
        "training.warmup: input should be less than 1, got 1.0.",
        "measure.value: input should be 'accuracy', 'macro_f1', ",
        "Unknown key 'compare.sedes'. Did you mean 'seeds'?",
        "Unknown key 'trainin'. Did you mean 'training'?",
    )
    for start in expected:
        assert sum(problem.startswith(start) for problem in found) == 1, start
    assert len(found) == len(expected)


def test_encoders_and_precision_and_seeds_are_reported_at_once():
    found = problems(
        {
            "model": {"encoders": {"a": "mpl", "b": {"name": "cnnn"}, "c": {"name": 3}, "d": "mlp", "e": {}}},
            "training": {"precision": "bf16"},
            "seed": -1,
            "data": {"split_seed": 2**32},
        }
    )
    expected = (
        "model.encoders.a: Unknown encoder 'mpl'. Did you mean 'mlp'?",
        "model.encoders.b: Unknown encoder 'cnnn'. Did you mean 'cnn'?",
        "model.encoders.c: expected a name, or a mapping with 'name', got the name 3.",
        "training.precision: input should be '32-true' or 'bf16-mixed', got 'bf16'. Did you mean 'bf16-mixed'?",
        "seed: expected a whole number from 0 to 4294967295, got -1.",
        "data.split_seed: expected a whole number from 0 to 4294967295, got 4294967296.",
    )
    for start in expected:
        assert sum(problem.startswith(start) for problem in found) == 1, start
    assert len(found) == len(expected)


def test_the_message_of_several_mistakes_lists_them():
    with pytest.raises(ConfigError, match=r"2 problems in the configuration:\n  - .*\n  - "):
        build_config({"seed": -1, "trainin": {}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"training": 3}, "training: input should be a valid dictionary"),
        ({"training": None}, "training: input should be a valid dictionary"),
        ({1: 2}, "1: keys should be strings"),
        ({"compare": []}, "compare: input should be"),
        ({"compare": {"methods": "joint"}}, "compare.methods: input should be a valid list"),
        ({"method": 3}, "method: expected a name or a mapping, got int"),
        ({"method": {"ordre": "fixed"}}, "Unknown key 'method.ordre'. Did you mean 'order'?"),
        ({"method": None}, "method: expected a name or a mapping, got NoneType"),
        ({"method": {"name": "joint", "label": 3}}, "method: expected a text as 'label', got 3"),
        (
            {"method": "paper:order=randm"},
            "method.order: input should be 'weak_to_strong', 'strong_to_weak', 'random' or "
            "'fixed', or a valid list, got 'randm'. Did you mean 'random'?",
        ),
        ({"method": "paper:order=[1, b]"}, "method.order.0: input should be a valid string, got 1."),
        (
            {"method": "paper:order=3"},
            "method.order: input should be 'weak_to_strong', 'strong_to_weak', 'random' or "
            "'fixed', or a valid list, got 3.",
        ),
        (
            {"compare": {"methods": ["joint", {"order": "fixed"}]}},
            "compare.methods.1: expected a name, or a mapping with",
        ),
        (
            {"compare": {"methods": ["joint", "modality_dropout:p=1"]}},
            "compare.methods.1 (modality_dropout:p=1): p: input should be less than 1",
        ),
        (
            {"compare": {"methods": ["paper", {"name": "modality_dropout", "label": "mine", "p": 1}]}},
            "compare.methods.1 (mine): p: input should be less than 1",
        ),
        ({"compare": {"methods": ["joint", 3]}}, "compare.methods.1: expected a name or a mapping, got int."),
        ({"model": {"encoders": {"a": {1: 2}}}}, "model.encoders.a.1: input should be a valid string, got 1."),
        ({"method": {"name": ["joint"]}}, "method: expected a name, or a mapping with 'name'"),
        ({"method": "joint:p=1"}, "Unknown key 'method.p'"),
        ({"method": "modality_dropout:p=1"}, "method.p: input should be less than 1"),
        ({"method": "modality_dropout:p"}, "method 'modality_dropout:p': expected key=value, got 'p'"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate: input should be a finite number"),
        ({"training": {"precision": "16"}}, "training.precision: input should be '32-true' or 'bf16-mixed'"),
        ({"seed": 2**32}, "seed: expected a whole number from 0 to 4294967295, got 4294967296."),
        ({"data": {"split_seed": -1}}, "data.split_seed: expected a whole number from 0 to 4294967295, got -1."),
        ({"data": {"split_seed": 2**70}}, "data.split_seed: expected a whole number from 0 to 4294967295, got"),
        ({"measure": {"encodings": {"epochs": [-1]}}}, "measure.encodings.epochs: expected epochs from 0, got -1."),
        ({"measure": {"encodings": {"epochs": [True]}}}, "measure.encodings.epochs.0: input should be a valid integer"),
        (
            {"measure": {"encodings": {"epochs": [0, 61]}}},
            "measure.encodings.epochs: epoch 61 is beyond training, which has 60",
        ),
        ({"data": {"labels": 1}}, "data.labels: input should be greater than or equal to 2"),
        ({"method": {"name": "paper", "pool": "fitted"}}, "Unknown key 'method.pool'"),
        ({"method": "emoji"}, "Unknown method 'emoji'"),  # a recipe without a method
    ],
)
def test_one_mistake_is_one_message(content, message):
    (found,) = problems(content)
    assert found.startswith(message)


# Sources and overrides


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_a_configuration_and_says_what_it_is_for(name):
    assert read_recipe(name)["about"].strip().endswith(".")
    config = load_config(name)
    assert all(method.name in METHODS.names() for method in [config.method, *config.compare.methods])


def test_later_sources_change_earlier_ones(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {epochs: 7, batch_size: 8}\nmethod: {name: paper, smoothing: 0.5}\n")
    config = load_config(path, ["training.epochs=9", "method.memory.dropout=0"], {"seed": 4, "training": {"epochs": 8}})
    assert (config.training.epochs, config.training.batch_size, config.seed) == (9, 8, 4)
    assert config.method.options["smoothing"] == 0.5
    assert config.method.options["memory"] == options("paper")["memory"] | {"dropout": 0}
    assert load_config(None) == resolve(RunConfig())
    assert load_form(None) == RunConfig()
    assert load_config("joint").method.name == "joint"
    assert load_config("modality_dropout:p=0.5").method.options == options("modality_dropout", p=0.5)


def test_another_method_drops_the_options_of_the_one_before():
    assert load_config("paper", ["method=joint"]).method.options == options("joint")
    assert load_config("paper", ["method.name=joint"]).method.options == options("joint")
    assert load_config(None, ["method.order=random"]).method.options == options("equilibrium", order="random")


@pytest.mark.parametrize("overrides", [[], ["method.memory.encoders=false"], ["method.name=equilibrium"]])
def test_options_without_a_name_are_the_default_methods(tmp_path, overrides):
    path = tmp_path / "mine.yaml"
    path.write_text("method: {order: random}\n")
    expected = load_config(None, ["method.order=random", *overrides])
    assert load_config(path, overrides) == expected
    assert expected.method.name == RunConfig().method.name
    encoders = not any("memory" in override for override in overrides)
    assert expected.method.options == options("equilibrium", order="random", memory={"encoders": encoders})
    assert load_config(path, ["method.name=joint"]) == load_config("joint")
    assert build_config({"method": {"order": "random"}}) == load_config(path)


def test_options_given_after_a_methods_text_change_its_options():
    found = load_config("equilibrium:order=random,memory.dropout=0", ["method.order=fixed"]).method
    assert found.options == options("equilibrium", order="fixed", memory={"dropout": 0})
    assert found.label == "equilibrium"  # no longer what the text said


def test_values_are_read_as_yaml_and_small_numbers_too():
    config = load_config(
        None, ["training.learning_rate=1e-4", "training.patience=null", "reference=no", "data.name=a=b"]
    )
    assert config.training.learning_rate == 1e-4
    assert config.training.patience is None
    assert config.reference is False
    assert config.data.name == "a=b"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epochs"], "-s: expected key=value, got 'training.epochs'"),
        (["method={name: joint, name: paper}"], "-s: the value of 'method' is not valid YAML"),
        (["=3"], "-s: expected key=value, got '=3'"),
        (["training.epochs={"], "-s: the value of 'training.epochs' is not valid YAML"),
        (["training=4", "training.epochs=3"], "'training' is given a value and keys at once"),
        (["training.epochs=3", "training=4"], "'training': it is given a value and keys at once"),
        (["training.epochs.x=3"], "training.epochs: input should be a valid integer"),
        (["tranining.epochs=3"], "Unknown key 'tranining'. Did you mean 'training'?"),
    ],
)
def test_wrong_overrides(overrides, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides)
    assert message in str(caught.value)


def test_wrong_sources(tmp_path):
    for source, content, message in (
        ("none.yaml", None, "no such file"),
        ("list.yaml", b"- 1\n- 2\n", "expected a mapping (key: value lines), got list"),
        ("broken.yaml", b"training: {epochs: 3", "not valid YAML"),
        ("binary.yml", b"\xff\xfe\x00\x01", "cannot be read as a text file"),
        (
            "twice.yaml",
            b"training:\n  epochs: 3\n  warmup: 0\n  epochs: 4\n",
            "not valid YAML at line 4, column 3: the key 'epochs' is there already, at line 2.",
        ),
        ("inline.yaml", b"method: {name: joint, name: paper}", "line 1, column 23: the key 'name' is there already"),
        ("tag.yaml", b"a: !!python/object/apply:os.getcwd []", "not valid YAML"),  # nothing is loaded as code
    ):
        path = tmp_path / source
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(path) in str(caught.value) and message in str(caught.value)
    (tmp_path / "empty.yaml").write_text("")
    assert load_config(tmp_path / "empty.yaml") == resolve(RunConfig())
    with pytest.raises(ConfigError, match=r"Unknown recipe or method 'emojy'\. Did you mean 'emoji'\? Known: .*joint"):
        load_config("emojy")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("emoji", "emoji"),
        ("features.npz", "features"),
        ("/home/me/hapt.yaml", "hapt"),
        ("/home/me/clips/data.yaml", "clips"),
        ("/home/me/my.features/", "my.features"),
        ("data of mine, 2.0", "data of mine, 2.0"),
    ],
)
def test_titles_name_data_without_their_path(name, title):
    assert RunConfig(data=DataConfig(name=name)).data.title == title
